"""Mel filter banks: triangles on the frequency axis, one row per mel band.

The Slaney scale is linear below 1 kHz and logarithmic above (M. Slaney, Auditory Toolbox, 1998); the HTK
scale is ``2595 log10(1 + f/700)`` (The HTK Book, 5.4). Both are computed in double precision.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from parakeet_asr.records import SAMPLE_RATE_HZ, FloatArray

DoubleArray = NDArray[np.float64]

FFT_SIZE = 512
BINS = FFT_SIZE // 2 + 1  # 0 Hz ... 8 kHz in steps of 31.25 Hz

_SLANEY_HZ_PER_MEL = 200.0 / 3.0
_SLANEY_BREAK_HZ = 1000.0
_SLANEY_BREAK_MEL = _SLANEY_BREAK_HZ / _SLANEY_HZ_PER_MEL
_SLANEY_LOG_STEP = np.log(6.4) / 27.0


def slaney_filterbank(mels: int) -> FloatArray:
    """Slaney's scale with every triangle scaled to unit area: [mels, BINS] float32."""
    edges_hz = _edges(mels, _hz_to_slaney, _slaney_to_hz)
    area = 2.0 / (edges_hz[2:] - edges_hz[:-2])
    return (_triangles(edges_hz) * area[:, None]).astype(np.float32)


def htk_filterbank(mels: int) -> FloatArray:
    """The HTK scale with triangles that reach 1: [mels, BINS] float32."""
    return _triangles(_edges(mels, _hz_to_htk, _htk_to_hz)).astype(np.float32)


def _edges(
    mels: int, to_mel: Callable[[float], float], to_hz: Callable[[DoubleArray], DoubleArray]
) -> DoubleArray:
    """Left foot, peak and right foot of the triangles, shared by neighbours: [mels + 2] in Hz."""
    return to_hz(np.linspace(to_mel(0.0), to_mel(SAMPLE_RATE_HZ / 2), mels + 2))


def _triangles(edges_hz: DoubleArray) -> DoubleArray:
    bins_hz = np.linspace(0.0, SAMPLE_RATE_HZ / 2, BINS)
    left, peak, right = edges_hz[:-2, None], edges_hz[1:-1, None], edges_hz[2:, None]
    rising = (bins_hz - left) / (peak - left)
    falling = (right - bins_hz) / (right - peak)
    return np.maximum(0.0, np.minimum(rising, falling))


def _hz_to_slaney(hz: float) -> float:
    if hz < _SLANEY_BREAK_HZ:
        return hz / _SLANEY_HZ_PER_MEL
    return float(_SLANEY_BREAK_MEL + np.log(hz / _SLANEY_BREAK_HZ) / _SLANEY_LOG_STEP)


def _slaney_to_hz(mel: DoubleArray) -> DoubleArray:
    linear = mel * _SLANEY_HZ_PER_MEL
    logarithmic = _SLANEY_BREAK_HZ * np.exp(_SLANEY_LOG_STEP * (mel - _SLANEY_BREAK_MEL))
    return np.where(mel < _SLANEY_BREAK_MEL, linear, logarithmic)


def _hz_to_htk(hz: float) -> float:
    return float(2595.0 * np.log10(1.0 + hz / 700.0))


def _htk_to_hz(mel: DoubleArray) -> DoubleArray:
    return 700.0 * (10.0 ** (mel / 2595.0) - 1.0)
