"""Capture times for publishers that set none."""

from __future__ import annotations

import numpy as np
import pytest

from parakeet_asr.sources.stamps import NANOSECONDS as SECOND
from parakeet_asr.sources.stamps import CountedStamps

CHUNK = SECOND // 10
BEGIN = 1_000 * SECOND


def run(arrivals: list[int], given: int = 0) -> list[tuple[int, bool]]:
    stamps = CountedStamps()
    return [stamps.stamp(given, CHUNK, arrival) for arrival in arrivals]


def test_samples_are_counted_from_the_arrival_of_the_first() -> None:
    """Whatever the jitter of the later ones."""
    jitter = np.random.default_rng(0).integers(-CHUNK // 2, 9 * CHUNK // 2, 50)
    arrivals = [BEGIN, *(BEGIN + n * CHUNK + int(late) for n, late in enumerate(jitter, 1))]
    assert run(sorted(arrivals)) == [(BEGIN + (n - 1) * CHUNK, False) for n in range(51)]


def test_faster_than_the_clock_is_counted_all_the_same() -> None:
    found = run([BEGIN + n for n in range(100)])
    assert found == [(BEGIN + (n - 1) * CHUNK, False) for n in range(100)]


@pytest.mark.parametrize("pause", [2 * SECOND, 3_600 * SECOND])
def test_after_a_pause_counting_begins_anew_with_a_gap(pause: int) -> None:
    found = run([BEGIN, BEGIN + CHUNK, BEGIN + CHUNK + pause, BEGIN + 2 * CHUNK + pause])
    assert [gap for _, gap in found] == [False, False, True, False]
    assert found[2][0] == BEGIN + pause
    assert found[3][0] == BEGIN + pause + CHUNK


def test_lost_chunks_that_nobody_numbers_are_made_up_for() -> None:
    """Every second one is lost: the count lags, until it is a second."""
    arrivals = [BEGIN + n * 2 * CHUNK for n in range(100)]
    found = run(arrivals)
    lags = [arrival - CHUNK - stamp for arrival, (stamp, _) in zip(arrivals, found, strict=True)]
    assert max(lags) == SECOND
    assert sum(gap for _, gap in found) == 9


def test_a_clock_that_is_set_back_is_followed() -> None:
    found = run([BEGIN, BEGIN + CHUNK, 5 * SECOND, 5 * SECOND + CHUNK])
    assert found[2:] == [(5 * SECOND - CHUNK, True), (5 * SECOND, False)]


def test_stamps_that_are_given_are_kept_and_counted_on() -> None:
    stamps = CountedStamps()
    assert stamps.stamp(77, CHUNK, BEGIN) == (77, False)
    assert stamps.stamp(BEGIN, CHUNK, BEGIN + CHUNK) == (BEGIN, False)
    assert stamps.stamp(0, CHUNK, BEGIN + 2 * CHUNK) == (BEGIN + CHUNK, False)


def test_before_time_begins_there_is_no_time() -> None:
    assert run([0]) == [(0, False)]
