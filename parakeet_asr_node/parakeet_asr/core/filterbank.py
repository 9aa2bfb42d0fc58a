"""Mel filter banks: triangles on the frequency axis, one row per mel band.

The Slaney scale is linear below 1 kHz and logarithmic above (M. Slaney, Auditory Toolbox, 1998); the HTK
scale is ``2595 log10(1 + f/700)`` (The HTK Book, 5.4).
"""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from parakeet_asr.records import SAMPLE_RATE_HZ, FloatArray

DoubleArray = NDArray[np.float64]
_Float = TypeVar("_Float", np.float32, np.float64)

FFT_SIZE = 512
BINS = FFT_SIZE // 2 + 1  # 0 Hz ... 8 kHz in steps of 31.25 Hz

_HIGHEST_HZ = SAMPLE_RATE_HZ / 2
_SLANEY_HZ_PER_MEL = 200.0 / 3.0
_SLANEY_BREAK_HZ = 1000.0
_SLANEY_BREAK_MEL = _SLANEY_BREAK_HZ / _SLANEY_HZ_PER_MEL
_SLANEY_LOG_STEP = np.log(6.4) / 27.0


def slaney_filterbank(mels: int) -> FloatArray:
    """Slaney's scale with every triangle scaled to unit area: [mels, BINS] float32."""
    mel = np.linspace(_hz_to_slaney(0.0), _hz_to_slaney(_HIGHEST_HZ), mels + 2)
    edges_hz = _slaney_to_hz(mel)
    area = 2.0 / (edges_hz[2:] - edges_hz[:-2])
    return (_triangles(edges_hz) * area[:, None]).astype(np.float32)


def htk_filterbank(mels: int) -> FloatArray:
    """The HTK scale with triangles that reach 1: [mels, BINS] float32.

    Rounded to single precision after every step, as the extractor does whose recipe this is: the
    narrow triangles of low bands, between two bins, show the edges' last digits.
    """
    single = np.float32
    highest = single(2595.0) * single(np.log10(np.float64(single(1.0) + single(_HIGHEST_HZ) / single(700.0))))
    mel = highest * (np.arange(mels + 2, dtype=single) / single(mels + 1))
    power = (10.0 ** (mel / single(2595.0)).astype(np.float64)).astype(single)
    return _triangles(single(700.0) * (power - single(1.0)))


def _triangles(edges_hz: NDArray[_Float]) -> NDArray[_Float]:
    """Triangles between left foot, peak and right foot, shared by neighbours: [mels + 2] to [mels, BINS]."""
    bins_hz = np.linspace(0.0, _HIGHEST_HZ, BINS, dtype=edges_hz.dtype)
    left, peak, right = edges_hz[:-2, None], edges_hz[1:-1, None], edges_hz[2:, None]
    rising = (bins_hz - left) / (peak - left)
    falling = (right - bins_hz) / (right - peak)
    triangles: NDArray[_Float] = np.maximum(np.minimum(rising, falling), 0)
    return triangles


def _hz_to_slaney(hz: float) -> float:
    if hz < _SLANEY_BREAK_HZ:
        return hz / _SLANEY_HZ_PER_MEL
    return float(_SLANEY_BREAK_MEL + np.log(hz / _SLANEY_BREAK_HZ) / _SLANEY_LOG_STEP)


def _slaney_to_hz(mel: DoubleArray) -> DoubleArray:
    linear = mel * _SLANEY_HZ_PER_MEL
    logarithmic = _SLANEY_BREAK_HZ * np.exp(_SLANEY_LOG_STEP * (mel - _SLANEY_BREAK_MEL))
    return np.where(mel < _SLANEY_BREAK_MEL, linear, logarithmic)
