"""What the loudspeaker gets, placed on the clock of the capture times."""

from __future__ import annotations

import numpy as np

from parakeet_asr.core.duplex.speaking import Interval
from parakeet_asr.core.sound import silence_nonsense
from parakeet_asr.core.timeline import SAMPLE_NS
from parakeet_asr.records import SAMPLE_RATE_HZ, AudioChunk, FloatArray

AUDIBLE = 1e-3
"""Below it (-60 dB of full scale) what is played is silence."""

_JITTER_SAMPLES = SAMPLE_RATE_HZ // 5  # a chunk that is late by less follows its predecessor
_PAUSE_SAMPLES = SAMPLE_RATE_HZ // 5  # a shorter silence lies within speech


class Playback:
    """Sound by absolute position, in samples since the clock's zero; zeros where there was none.

    A loudspeaker plays one chunk after the other: a chunk whose stamp is not later than the end of the one
    before it (sound that was handed over faster than it is played) follows it without a gap.
    """

    def __init__(self) -> None:
        """Nothing was played."""
        self._pieces: list[tuple[int, FloatArray]] = []  # (position, samples), ascending, no overlap
        self._stretches: list[tuple[int, int]] = []  # positions between which it can be heard

    @property
    def end(self) -> int | None:
        """Position behind the last sample that is known; None before the first."""
        return self._pieces[-1][0] + len(self._pieces[-1][1]) if self._pieces else None

    def push(self, chunk: AudioChunk) -> list[Interval]:
        """Take what is played next; the stretches in which it can be heard, in capture time."""
        if not len(chunk.samples):
            return []
        position = chunk.stamp_ns // SAMPLE_NS
        if self.end is not None and position <= self.end + _JITTER_SAMPLES and not chunk.discontinuity:
            position = self.end
        elif self.end is not None:
            position = max(position, self.end)
        samples = silence_nonsense(chunk.samples)[0]
        self._pieces.append((position, samples))
        return [(a * SAMPLE_NS, b * SAMPLE_NS) for a, b in self._audible(position, samples)]

    def cut(self, position: int) -> None:
        """What was to be played from ``position`` on is not."""
        self._pieces = [(p, s[: max(0, position - p)]) for p, s in self._pieces if p < position]
        self._stretches = [(a, min(b, position)) for a, b in self._stretches if a < position]

    def audible(self, start: int, stop: int) -> bool:
        """Whether anything can be heard between two positions."""
        return any(a < stop and b > start for a, b in self._stretches)

    def read(self, start: int, stop: int) -> FloatArray:
        """Samples [start, stop)."""
        out = np.zeros(stop - start, np.float32)
        for position, samples in reversed(self._pieces):
            if position >= stop:
                continue
            if position + len(samples) <= start:
                break
            first, last = max(start, position), min(stop, position + len(samples))
            out[first - start : last - start] = samples[first - position : last - position]
        return out

    def forget_before(self, position: int) -> None:
        """Samples before ``position`` will not be asked for again; the last piece stays as an anchor."""
        keep = 0
        while keep < len(self._pieces) - 1 and self._pieces[keep + 1][0] <= position:
            keep += 1
        del self._pieces[:keep]
        self._stretches = [one for one in self._stretches if one[1] > position]

    def _audible(self, position: int, samples: FloatArray) -> list[tuple[int, int]]:
        """Stretches of sound without longer pauses; one that goes on joins what was before it."""
        loud = np.flatnonzero(np.abs(samples) >= AUDIBLE)
        if not len(loud):
            return []
        splits = np.flatnonzero(np.diff(loud) > _PAUSE_SAMPLES)
        begins = loud[np.concatenate(([0], splits + 1))] + position
        ends = loud[np.concatenate((splits, [len(loud) - 1]))] + position + 1
        stretches = [(int(a), int(b)) for a, b in zip(begins, ends, strict=True)]
        before = self._stretches[-1] if self._stretches else None
        if before is not None and 0 <= stretches[0][0] - before[1] <= _PAUSE_SAMPLES:
            stretches[0] = (before[0], stretches[0][1])
            self._stretches.pop()
        self._stretches += stretches
        return stretches
