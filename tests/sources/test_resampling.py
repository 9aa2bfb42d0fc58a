"""Any rate to 16 kHz, in pieces."""

from __future__ import annotations

import numpy as np
import pytest

from parakeet_asr.errors import AudioFormatError
from parakeet_asr.records import AudioChunk
from parakeet_asr.sources.resampling import Resampler, StampedResampler

SECOND = 1_000_000_000  # nanoseconds
SAMPLE_NS = 62_500
NOISE = np.random.default_rng(3).standard_normal(60_000).astype(np.float32) * np.float32(0.1)


def resampled(resampler: Resampler, sound: np.ndarray, piece: int) -> np.ndarray:
    pieces = [resampler.push(sound[i : i + piece]) for i in range(0, len(sound), piece)]
    return np.concatenate([*pieces, resampler.flush()])


@pytest.mark.parametrize("rate_hz", [8000, 11_025, 16_000, 22_050, 44_100, 48_000, 96_000])
def test_pieces_give_what_the_whole_gives(rate_hz: int) -> None:
    resampler = Resampler(rate_hz)
    whole = resampled(resampler, NOISE, len(NOISE))
    assert len(whole) == pytest.approx(len(NOISE) * 16_000 / rate_hz, abs=1)
    for piece in (7, 160, 441, 12_345):
        np.testing.assert_allclose(resampled(resampler, NOISE, piece), whole, rtol=0, atol=1e-6)


@pytest.mark.parametrize("rate_hz", [8000, 44_100, 48_000])
def test_a_tone_stays_the_same_tone_without_delay(rate_hz: int) -> None:
    seconds = np.arange(rate_hz) / rate_hz
    tone = np.sin(2 * np.pi * 440.0 * seconds).astype(np.float32)
    expected = np.sin(2 * np.pi * 440.0 * np.arange(16_000) / 16_000)
    found = resampled(Resampler(rate_hz), tone, 1000)
    np.testing.assert_allclose(found[500:-500], expected[500:-500], atol=1e-3)


def test_what_16_khz_cannot_hold_is_filtered_out() -> None:
    tone = np.sin(2 * np.pi * 11_000.0 * np.arange(48_000) / 48_000).astype(np.float32)
    assert np.abs(resampled(Resampler(48_000), tone, 4800)[500:-500]).max() < 1e-4


@pytest.mark.parametrize("rate_hz", [0, -16_000, 10, 10_000_000])
def test_a_rate_out_of_reason_is_refused(rate_hz: int) -> None:
    with pytest.raises(AudioFormatError, match=str(rate_hz)):
        Resampler(rate_hz)


def stamped(
    rate_hz: int, sizes: list[int], stamps: list[int], gaps: set[int] = frozenset()
) -> list[AudioChunk]:
    resampler, chunks, position = StampedResampler(), [], 0
    for index, (size, stamp_ns) in enumerate(zip(sizes, stamps, strict=True)):
        piece = NOISE[position : position + size]
        chunks += resampler.push(piece, rate_hz, stamp_ns, gap=index in gaps)
        position += size
    return chunks + resampler.flush()


@pytest.mark.parametrize("rate_hz", [8_000, 16_000, 44_100, 48_000])
def test_stamps_follow_the_samples_through_the_filter(rate_hz: int) -> None:
    """The chunks are contiguous in time: what the filter holds back has the stamp of when it was captured."""
    size, start_ns = rate_hz // 10, 5 * SECOND
    chunks = stamped(rate_hz, [size] * 8, [start_ns + n * SECOND // 10 for n in range(8)])
    assert not any(chunk.discontinuity for chunk in chunks)
    expected_ns = start_ns
    for chunk in chunks:
        assert chunk.stamp_ns == pytest.approx(expected_ns, abs=SAMPLE_NS)
        expected_ns += len(chunk.samples) * SAMPLE_NS
    assert expected_ns == pytest.approx(start_ns + 8 * SECOND // 10, abs=SAMPLE_NS)


def test_an_impulse_has_the_time_at_which_it_was_captured() -> None:
    sound = np.zeros(48_000, np.float32)
    sound[30_000] = 1.0
    resampler = StampedResampler()
    chunks = [
        chunk
        for n in range(10)
        for chunk in resampler.push(sound[n * 4800 : (n + 1) * 4800], 48_000, SECOND + n * SECOND // 10)
    ]
    loudest = max(chunks, key=lambda chunk: float(np.abs(chunk.samples).max()))
    found_ns = loudest.stamp_ns + int(np.argmax(np.abs(loudest.samples))) * SAMPLE_NS
    assert found_ns == pytest.approx(SECOND + 30_000 * SECOND // 48_000, abs=SAMPLE_NS)


def test_at_a_gap_the_rest_keeps_its_time_and_nothing_is_smeared() -> None:
    stamps = [0, SECOND // 10, SECOND, 11 * SECOND // 10]
    chunks = stamped(48_000, [4800] * 4, stamps, {2})
    after = [chunk for chunk in chunks if chunk.stamp_ns >= SECOND - SAMPLE_NS]
    before = chunks[: len(chunks) - len(after)]
    assert [chunk.discontinuity for chunk in after] == [True] + [False] * (len(after) - 1)
    assert not any(chunk.discontinuity for chunk in before)
    assert sum(len(chunk.samples) for chunk in before) == 3200
    last = before[-1]
    assert last.stamp_ns + len(last.samples) * SAMPLE_NS == pytest.approx(SECOND // 5, abs=SAMPLE_NS)
    fresh = np.concatenate([chunk.samples for chunk in after])
    np.testing.assert_allclose(fresh, resampled(Resampler(48_000), NOISE[9600:19_200], 4800), atol=1e-6)


def test_the_rate_may_change_within_a_stream() -> None:
    resampler = StampedResampler()
    chunks = resampler.push(NOISE[:4800], 48_000, 0)
    chunks += resampler.push(NOISE[:800], 8_000, SECOND // 10)
    chunks += resampler.flush()
    assert sum(len(chunk.samples) for chunk in chunks) == 3200
    with pytest.raises(AudioFormatError, match="sample rate"):
        resampler.push(NOISE[:10], 1, 0)
    assert len(resampler.push(NOISE[:16_000], 16_000, SECOND)[0].samples) == 16_000


def test_a_gap_before_a_piece_that_gives_nothing_yet_is_not_forgotten() -> None:
    resampler = StampedResampler()
    assert resampler.push(NOISE[:10], 48_000, 0, gap=True) == []
    (chunk,) = resampler.flush()
    assert chunk.discontinuity
