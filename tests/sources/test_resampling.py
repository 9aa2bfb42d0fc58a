"""Any rate to 16 kHz, in pieces."""

from __future__ import annotations

import numpy as np
import pytest

from parakeet_asr.errors import AudioFormatError
from parakeet_asr.sources.resampling import Resampler

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
