"""The two recipes from sound to log-mel frames, as models were trained with them.

``nemo`` is NeMo's ``AudioToMelSpectrogramPreprocessor`` (the Parakeet family), ``rust`` the extractor of
trt-asr-engine. On speech they differ by 5 nats on average, so the recipe belongs to the model.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from parakeet_asr.core.filterbank import htk_filterbank, slaney_filterbank
from parakeet_asr.core.spectrum import HOP_SAMPLES, WINDOW_SAMPLES, PowerSpectrum, frames_of
from parakeet_asr.records import FloatArray

BLOCK_FRAMES = 128  # 1.28 s: large enough for the BLAS, small enough for the second-level cache
_BAND_MELS = 32


@dataclass(frozen=True, slots=True)
class Recipe:
    """How one family of models turns samples into log-mel energies."""

    preemphasis: float  # y[t] = x[t] - preemphasis * x[t-1]
    centred: bool  # frame t is centred on sample 160 t; otherwise it begins there
    floor: float  # added to the energy before the logarithm
    filterbank: Callable[[int], FloatArray]

    @property
    def lead_samples(self) -> int:
        """Zeros before the first sample that the first frame sees."""
        return WINDOW_SAMPLES // 2 if self.centred else 0

    def frame_count(self, samples: int) -> int:
        """Valid frames of a signal."""
        return samples // HOP_SAMPLES if self.centred else frames_of(samples)


RECIPES = {
    "nemo": Recipe(preemphasis=0.97, centred=True, floor=2.0**-24, filterbank=slaney_filterbank),
    "rust": Recipe(preemphasis=0.0, centred=False, floor=1e-5, filterbank=htk_filterbank),
}


@dataclass(frozen=True, slots=True)
class _Band:
    """Some neighbouring mel filters without the bins at which all of them are zero."""

    mels: slice
    bins: slice
    weights: FloatArray  # [mels, bins]


class LogMel:
    """Log-mel energies of up to BLOCK_FRAMES frames at a time. Not thread safe: it owns buffers."""

    def __init__(self, recipe: Recipe, mels: int) -> None:
        self.mels = mels
        self._floor = np.float32(recipe.floor)
        self._bands = _bands(recipe.filterbank(mels))
        self._spectrum = PowerSpectrum(BLOCK_FRAMES)
        self._energy = np.empty((mels, BLOCK_FRAMES), np.float32)

    def compute(self, samples: FloatArray, out: FloatArray) -> None:
        """Fill ``out`` [mels, n] from ``samples`` [(n-1)*160 + 400], 1 <= n <= BLOCK_FRAMES."""
        power = self._spectrum(samples)
        energy = self._energy[:, : power.shape[1]]
        for band in self._bands:
            np.matmul(band.weights, power[band.bins], out=energy[band.mels])
        np.add(energy, self._floor, out=energy)
        np.log(energy[:, : out.shape[1]], out=out)


def _bands(filterbank: FloatArray) -> list[_Band]:
    """Cut the filter bank into bands: two thirds of the full product would multiply zeros."""
    bands = []
    for first in range(0, filterbank.shape[0], _BAND_MELS):
        mels = slice(first, min(first + _BAND_MELS, filterbank.shape[0]))
        used = np.flatnonzero(filterbank[mels].any(axis=0))
        bins = slice(int(used[0]), int(used[-1]) + 1) if used.size else slice(0, 1)
        bands.append(_Band(mels, bins, np.ascontiguousarray(filterbank[mels, bins])))
    return bands
