"""The two recipes from sound to log-mel frames, as models were trained with them.

``nemo`` is NeMo's ``AudioToMelSpectrogramPreprocessor`` (the Parakeet family), ``rust`` the extractor of
trt-asr-engine. On speech they differ by 5 nats on average, so the recipe belongs to the model.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from parakeet_asr.core.filterbank import htk_filterbank, slaney_filterbank
from parakeet_asr.core.spectrum import (
    HOP_SAMPLES,
    WINDOW_SAMPLES,
    AnyFloatArray,
    PowerSpectrum,
    blas_rounds_columns_alike,
    frames_of,
)
from parakeet_asr.records import FloatArray

BLOCK_FRAMES = 64
"""0.64 s. OpenBLAS gives products of more than 2**18 multiplications to all cores, whose threads then wait
actively for more: slower, at three times the computing. The largest product of 64 frames is just that."""
_BAND_MELS = 16

Precision = Literal["auto", "single", "double"]
"""Of the arithmetic; what goes in and comes out is float32. Double is half as fast, and as near to the
reference as the reference is to the truth. ``auto`` is single where a frame then does not depend on how
the signal was split, and double elsewhere."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """How one family of models turns samples into log-mel energies."""

    preemphasis: float  # y[t] = x[t] - preemphasis * x[t-1]
    centred: bool  # frame t is centred on sample 160 t; otherwise it begins there
    floor: float  # added to the energy before the logarithm
    filterbank: Callable[[int], FloatArray]
    window: Callable[[], FloatArray]

    @property
    def lead_samples(self) -> int:
        """Zeros before the first sample that the first frame sees."""
        return WINDOW_SAMPLES // 2 if self.centred else 0

    def frame_count(self, samples: int) -> int:
        """Valid frames of a signal."""
        return samples // HOP_SAMPLES if self.centred else frames_of(samples)


def _torch_hann_window() -> FloatArray:
    """The symmetric Hann window [WINDOW_SAMPLES], rounded step by step like ``torch.hann_window``.

    The last bits of a window in single precision decide what leaks into bands 120 dB below the loudest.
    """
    angle = np.arange(WINDOW_SAMPLES, dtype=np.float32) * np.float32(2.0 * np.pi / (WINDOW_SAMPLES - 1))
    window: FloatArray = np.cos(angle) * np.float32(-0.5) + np.float32(0.5)
    return window


def _rust_hann_window() -> FloatArray:
    """The same window in the order of operations of the Rust extractor."""
    turn = np.float32(2.0 * np.pi) * np.arange(WINDOW_SAMPLES, dtype=np.float32)
    window: FloatArray = np.float32(0.5) * (np.float32(1.0) - np.cos(turn / np.float32(WINDOW_SAMPLES - 1)))
    return window


RECIPES = {
    "nemo": Recipe(
        preemphasis=0.97,
        centred=True,
        floor=2.0**-24,
        filterbank=slaney_filterbank,
        window=_torch_hann_window,
    ),
    "rust": Recipe(
        preemphasis=0.0,
        centred=False,
        floor=1e-5,
        filterbank=htk_filterbank,
        window=_rust_hann_window,
    ),
}


@dataclass(frozen=True, slots=True)
class _Band:
    """Some neighbouring mel filters without the bins at which all of them are zero."""

    mels: slice
    bins: slice
    weights: AnyFloatArray  # [mels, bins]


class LogMel:
    """Log-mel energies of up to BLOCK_FRAMES frames at a time. Not thread safe: it owns buffers."""

    def __init__(self, recipe: Recipe, mels: int, precision: Precision = "auto") -> None:
        """Compute one recipe with so many mel bands."""
        single = precision == "single" or (precision == "auto" and blas_rounds_columns_alike())
        dtype = np.float32 if single else np.float64
        self._floor = dtype(recipe.floor)
        self._bands = _bands(recipe.filterbank(mels).astype(dtype))
        self._spectrum = PowerSpectrum(BLOCK_FRAMES, recipe.window(), dtype)
        self._energy = np.empty((mels, BLOCK_FRAMES), dtype)

    def compute(self, samples: FloatArray, out: FloatArray) -> None:
        """Fill ``out`` [mels, n] from ``samples`` [at least tile_samples_of(n)], 1 <= n <= BLOCK_FRAMES."""
        count = out.shape[1]
        power = self._spectrum(samples, count)
        energy = self._energy[:, : power.shape[1]]
        for band in self._bands:
            np.matmul(band.weights, power[band.bins], out=energy[band.mels])
        np.add(energy, self._floor, out=energy)
        np.log(energy[:, :count], out=out)


def _bands(filterbank: AnyFloatArray) -> list[_Band]:
    """Cut the filter bank into bands: two thirds of the full product would multiply zeros."""
    bands = []
    for first in range(0, filterbank.shape[0], _BAND_MELS):
        mels = slice(first, min(first + _BAND_MELS, filterbank.shape[0]))
        used = np.flatnonzero(filterbank[mels].any(axis=0))
        bins = slice(int(used[0]), int(used[-1]) + 1) if used.size else slice(0, 1)
        bands.append(_Band(mels, bins, np.ascontiguousarray(filterbank[mels, bins])))
    return bands
