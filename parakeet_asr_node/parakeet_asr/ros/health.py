"""How the node fares, as numbers and as levels; knows no ROS. docs/diagnostics.md explains every rule."""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np

from parakeet_asr.records import SAMPLE_RATE_HZ, FloatArray

FULL_SCALE = 0.999  # a sample from here on is clipped
DEAD_PEAK = 1e-5  # -100 dBFS: a microphone that lives is louder, even in a quiet room
LOWEST_DBFS = -120.0
LATENCIES = 200  # the percentiles are over this many messages


class Level(IntEnum):
    """The numbers are those of ``diagnostic_msgs/DiagnosticStatus``."""

    OK = 0
    WARN = 1
    ERROR = 2


@dataclass(frozen=True, slots=True)
class InputStats:
    """The sound of one period between two looks."""

    period_s: float
    received_s: float  # seconds of sound that came
    rms_dbfs: float  # LOWEST_DBFS when nothing came or all of it was zero
    peak_dbfs: float
    clipped_ratio: float  # of the samples, 0..1
    dead_s: float  # without any sound but zeros, until now
    age_s: float  # since the last sample, or since the beginning when none came yet

    @property
    def rate(self) -> float:
        """Seconds of sound per second: 1 in real time."""
        return self.received_s / self.period_s if self.period_s > 0 else 0.0


class InputMeter:
    """Measures sound. May be fed on another thread than the one that looks."""

    def __init__(self, now_s: Callable[[], float] = time.monotonic) -> None:
        """Begin a period now."""
        self._now_s = now_s
        self._lock = threading.Lock()
        self._last_s = now_s()  # when the last chunk came
        self._dead_samples = 0
        self._begin()

    def _begin(self) -> None:
        self._began_s = self._now_s()
        self._samples = self._clipped = 0
        self._energy = self._peak = 0.0

    def push(self, samples: FloatArray) -> None:
        """Measure the next [n] samples, -1..1."""
        if not len(samples):
            return
        loudness = np.abs(samples)
        peak, energy = float(loudness.max()), float(np.dot(samples, samples))
        clipped = int(np.count_nonzero(loudness >= FULL_SCALE)) if peak >= FULL_SCALE else 0
        with self._lock:
            self._last_s = self._now_s()
            self._samples += len(samples)
            self._energy += energy
            self._peak = max(self._peak, peak)
            self._clipped += clipped
            self._dead_samples = self._dead_samples + len(samples) if peak < DEAD_PEAK else 0

    def look(self) -> InputStats:
        """What came since the last look; a new period begins."""
        with self._lock:
            now_s = self._now_s()
            stats = InputStats(
                period_s=now_s - self._began_s,
                received_s=self._samples / SAMPLE_RATE_HZ,
                rms_dbfs=dbfs(math.sqrt(self._energy / self._samples) if self._samples else 0.0),
                peak_dbfs=dbfs(self._peak),
                clipped_ratio=self._clipped / self._samples if self._samples else 0.0,
                dead_s=self._dead_samples / SAMPLE_RATE_HZ,
                age_s=now_s - self._last_s,
            )
            self._begin()
        return stats


def dbfs(amplitude: float) -> float:
    """Amplitude 0..1 in decibels below full scale, not below LOWEST_DBFS."""
    return max(LOWEST_DBFS, 20 * math.log10(amplitude)) if amplitude > 0 else LOWEST_DBFS


class Latencies:
    """Percentiles over the last LATENCIES values. May be fed on another thread."""

    def __init__(self) -> None:
        """Nothing yet."""
        self._values_s: deque[float] = deque(maxlen=LATENCIES)

    def add(self, latency_s: float) -> None:
        """Remember one."""
        self._values_s.append(latency_s)

    def percentiles_s(self) -> tuple[float, float] | None:
        """p50 and p95 by the nearest rank; None when there are no values."""
        values = sorted(self._values_s.copy())
        if not values:
            return None
        return values[_rank(50, len(values))], values[_rank(95, len(values))]


def _rank(percent: int, count: int) -> int:
    return max(0, math.ceil(percent / 100 * count) - 1)


@dataclass(frozen=True, slots=True)
class Rule:
    """A number and the levels that it means."""

    name: str
    warn: float
    error: float = math.inf
    release: float = 0.8  # a level ends below its threshold times this
    calm_looks: int = 3  # and only after this many looks in a row

    def level(self, value: float, factor: float = 1.0) -> Level:
        """The level of a value, with all thresholds times ``factor``."""
        if value >= self.error * factor:
            return Level.ERROR
        return Level.WARN if value >= self.warn * factor else Level.OK


@dataclass(slots=True)
class Alarm:
    """A rule with hysteresis: it rises at once and falls when the value stayed well below for a while."""

    rule: Rule
    level: Level = Level.OK
    _calm: int = field(default=0)

    def push(self, value: float) -> Level:
        """The level after the next look at the value."""
        rising = self.rule.level(value)
        if rising >= self.level:
            self.level, self._calm = rising, 0
            return self.level
        falling = max(rising, self.rule.level(value, self.rule.release))
        self._calm = self._calm + 1 if falling < self.level else 0
        if self._calm >= self.rule.calm_looks:
            self.level, self._calm = falling, 0
        return self.level


class Alarms:
    """Several rules over the same looks."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        """All are calm."""
        self._alarms = {rule.name: Alarm(rule) for rule in rules}

    def push(self, values: dict[str, float]) -> tuple[Level, str]:
        """The worst level, and the names of the rules that have it; a rule without a value is calm."""
        levels = {name: alarm.push(values.get(name, 0.0)) for name, alarm in self._alarms.items()}
        worst = max(levels.values(), default=Level.OK)
        return worst, ", ".join(n for n, level in levels.items() if level is worst) if worst else ""


@dataclass(frozen=True, slots=True)
class Report:
    """One entry of the diagnostics."""

    level: Level
    message: str
    values: dict[str, str]


class Increase:
    """How much counters grew from one look to the next; one that began anew counts from zero."""

    def __init__(self) -> None:
        """Nothing was counted yet."""
        self._before: dict[str, float] = {}

    def push(self, counters: dict[str, float]) -> dict[str, float]:
        """The growth of every counter."""
        before, self._before = self._before, counters
        growth = {name: value - before.get(name, 0.0) for name, value in counters.items()}
        return {name: grown if grown >= 0 else counters[name] for name, grown in growth.items()}


INPUT_RULES = (
    Rule("no sound for", warn=1.0, error=5.0, calm_looks=1),  # s since the last sample
    Rule("dead air for", warn=10.0, calm_looks=1),  # s of nothing but zeros
    Rule("clipping", warn=0.001, error=0.05),  # ratio of samples
    Rule("gaps", warn=1.0),  # jumps of the stamps since the last look
    Rule("unusable messages", warn=1.0),  # since the last look
)
WORKER_RULES = (
    Rule("queue", warn=2.0, error=10.0),  # s that wait
    Rule("dropped", warn=0.001, error=1.0, release=1.0),  # s since the last look
    Rule("failures", warn=1.0, error=3.0),  # since the last look
    Rule("real-time factor", warn=0.8, error=1.0),  # s of work per s
)
