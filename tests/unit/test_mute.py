"""The mute gate cuts by capture time, to the sample, and counts what it takes."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from parakeet_asr.core.mute import LATE_NS, SAME_CLOCK_NS, MuteBegan, MuteGate, Passed
from parakeet_asr.records import AudioChunk

NOW = 1_700_000_000_000_000_000
MS = 1_000_000
SAMPLE = 62_500


def chunk(start_ms: float, samples: int = 1600) -> AudioChunk:
    """Every sample holds its own number, counted from NOW."""
    first = round(start_ms * 16)
    return AudioChunk(np.arange(first, first + samples, dtype=np.float32), NOW + first * SAMPLE)


def heard(passed: list[Passed]) -> list[int]:
    return [int(s) for p in passed if isinstance(p, AudioChunk) for s in p.samples]


def at(ms: float) -> int:
    return NOW + round(ms * MS)


def test_without_a_mute_the_very_same_chunk_passes() -> None:
    piece = chunk(0)
    assert MuteGate().push(piece, at(100))[0] is piece


def test_sound_from_before_the_mute_is_heard_and_cut_at_its_sample() -> None:
    gate = MuteGate()
    gate.mute(at(150))
    early, cut = gate.push(chunk(0), at(160)), gate.push(chunk(100), at(210))
    assert heard(early) == list(range(1600))
    assert heard(cut) == list(range(1600, 2400))
    assert isinstance(cut[-1], MuteBegan)
    assert gate.push(chunk(200), at(310)) == []  # said once
    assert gate.dropped_samples == 800 + 1600


def test_sound_from_during_the_mute_that_arrives_after_it_is_not_heard() -> None:
    gate = MuteGate()
    gate.mute(at(0))
    gate.unmute(at(150))
    assert heard(gate.push(chunk(0), at(160))) == []
    (piece,) = gate.push(chunk(100), at(210))
    assert isinstance(piece, AudioChunk)
    assert piece.stamp_ns == at(150)
    assert piece.discontinuity
    assert gate.push(chunk(200), at(310))[0] is not piece
    assert gate.dropped_samples == 2400


def test_a_mute_within_one_chunk_leaves_both_sides() -> None:
    gate = MuteGate()
    gate.mute(at(25))
    gate.unmute(at(75))
    before, began, after = gate.push(chunk(0), at(110))
    assert isinstance(began, MuteBegan)
    assert heard([before]) == list(range(400))
    assert heard([after]) == list(range(1200, 1600))


def test_stamps_of_another_clock_are_muted_by_arrival() -> None:
    gate = MuteGate()
    other = AudioChunk(np.zeros(1600, np.float32), 1_000)
    gate.mute(NOW)
    assert heard(gate.push(other, at(1))) == []
    gate.unmute(at(2))
    assert gate.push(other, at(3)) == [other]


def test_a_clock_that_lags_leaks_no_more_than_it_is_waited_for() -> None:
    gate = MuteGate()
    gate.mute(NOW)
    lagging = chunk(-2000)
    assert heard(gate.push(lagging, NOW + LATE_NS)) != []
    assert heard(gate.push(lagging, NOW + LATE_NS + 1)) == []
    assert SAME_CLOCK_NS > 2_000 * MS  # so that it is not the other rule that was tested


@given(st.lists(st.integers(0, 400), max_size=6), st.lists(st.integers(1, 3000), min_size=8, max_size=8))
def test_exactly_the_muted_samples_are_missing(times: list[int], sizes: list[int]) -> None:
    gate = MuteGate()
    wanted = set(range(sum(sizes)))
    for i, time in enumerate(sorted(times)):
        (gate.unmute if i % 2 else gate.mute)(at(time))
    edges = [*(time * 16 for time in sorted(times)), sum(sizes)]
    for start, stop in zip(edges[::2], edges[1::2], strict=False):
        wanted -= set(range(start, stop))
    got: list[int] = []
    position = 0
    for size in sizes:
        got += heard(gate.push(chunk(position / 16, size), at(sorted(times)[-1] if times else 0)))
        position += size
    assert got == sorted(wanted)
    assert gate.dropped_samples == sum(sizes) - len(wanted)
