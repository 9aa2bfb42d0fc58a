"""Measurements and levels of the diagnostics."""

from __future__ import annotations

import numpy as np
import pytest

from parakeet_asr.ros.health import (
    LOWEST_DBFS,
    Alarm,
    Alarms,
    Increase,
    InputMeter,
    Latencies,
    Level,
    Rule,
    dbfs,
)


class Clock:
    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def test_the_meter_measures_one_period_after_the_other() -> None:
    clock = Clock()
    meter = InputMeter(clock)
    assert meter.look().age_s == 0.0
    meter.push(np.full(16_000, 0.5, np.float32))
    clock.now_s += 2.0
    stats = meter.look()
    assert stats.rate == pytest.approx(0.5)
    assert stats.rms_dbfs == stats.peak_dbfs == pytest.approx(-6.02, abs=0.01)
    assert (stats.clipped_ratio, stats.dead_s, stats.age_s) == (0.0, 0.0, 2.0)
    clock.now_s += 1.0
    later = meter.look()
    assert (later.received_s, later.rms_dbfs, later.age_s) == (0.0, LOWEST_DBFS, 3.0)


def test_clipped_samples_are_counted() -> None:
    meter = InputMeter(Clock())
    meter.push(np.array([0.1, 1.0, -1.0, 0.2], np.float32))
    assert meter.look().clipped_ratio == 0.5


def test_dead_air_adds_up_over_looks_until_there_is_sound() -> None:
    meter = InputMeter(Clock())
    for seconds in (1.0, 2.0):
        meter.push(np.zeros(16_000, np.float32))
        assert meter.look().dead_s == seconds
    meter.push(np.full(1600, 1e-3, np.float32))
    assert meter.look().dead_s == 0


def test_decibels_have_a_floor() -> None:
    assert (dbfs(1.0), dbfs(0.0), dbfs(1e-30)) == (0.0, LOWEST_DBFS, LOWEST_DBFS)


def test_percentiles_are_values_that_occurred() -> None:
    latencies = Latencies()
    assert latencies.percentiles_s() is None
    for value in range(1, 101):
        latencies.add(float(value))
    assert latencies.percentiles_s() == (50.0, 95.0)


def test_an_alarm_rises_at_once_and_falls_after_calm_looks_well_below() -> None:
    alarm = Alarm(Rule("queue", warn=2.0, error=10.0, release=0.8, calm_looks=2))
    looks = [(1.9, Level.OK), (2.0, Level.WARN), (1.7, Level.WARN), (1.7, Level.WARN), (1.5, Level.WARN)]
    looks += [(1.7, Level.WARN), (1.5, Level.WARN), (1.5, Level.OK)]
    looks += [(50.0, Level.ERROR), (5.0, Level.ERROR), (5.0, Level.WARN), (0.0, Level.WARN), (0.0, Level.OK)]
    assert [(value, alarm.push(value)) for value, _ in looks] == looks


def test_the_worst_rule_gives_the_level_and_its_name() -> None:
    alarms = Alarms([Rule("a", warn=1.0, error=2.0), Rule("b", warn=1.0), Rule("c", warn=1.0, error=2.0)])
    assert alarms.push({}) == (Level.OK, "")
    assert alarms.push({"a": 1.0, "b": 1.0}) == (Level.WARN, "a, b")
    assert alarms.push({"a": 1.0, "c": 3.0}) == (Level.ERROR, "c")


def test_counters_that_begin_anew_do_not_count_backwards() -> None:
    increase = Increase()
    assert increase.push({"a": 2.0}) == {"a": 2.0}
    assert increase.push({"a": 5.0, "b": 1.0}) == {"a": 3.0, "b": 1.0}
    assert increase.push({"a": 1.0, "b": 1.0}) == {"a": 1.0, "b": 0.0}
