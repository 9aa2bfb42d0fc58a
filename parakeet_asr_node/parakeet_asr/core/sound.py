"""What may enter as sound."""

from __future__ import annotations

import numpy as np

from parakeet_asr.errors import AudioFormatError
from parakeet_asr.records import FloatArray

LARGEST_SAMPLE = 1e9
"""Beyond it no sound makes sense, and the power spectrum would soon overflow float32."""


def as_signal(samples: FloatArray) -> FloatArray:
    """Check that this is a vector of floats; integers are refused because their scale is not known.

    Args:
        samples: [n] float32, or any other floating point.

    Returns:
        [n] float32, the same memory where possible.

    Raises:
        AudioFormatError: anything else came.
    """
    array = np.asarray(samples)
    if array.ndim != 1 or not np.issubdtype(array.dtype, np.floating):
        raise AudioFormatError(
            f"expected mono samples as a vector of floats in -1..1, found {array.dtype} of shape "
            f"{array.shape}; average the channels, and divide integers by their full scale"
        )
    return array.astype(np.float32, copy=False)


def silence_nonsense(samples: FloatArray) -> tuple[FloatArray, int]:
    """Put 0 for samples that are no sound: NaN, infinite or beyond LARGEST_SAMPLE.

    A single one would otherwise spoil everything that is computed after it. Clipped or loud samples
    are sound and stay as they are.

    Args:
        samples: float32 of any shape.

    Returns:
        The samples (the same array when all are sound) and how many were replaced.
    """
    if samples.size == 0 or (
        samples.max() <= LARGEST_SAMPLE and samples.min() >= -LARGEST_SAMPLE  # both false for NaN
    ):
        return samples, 0
    sound = np.abs(samples) <= LARGEST_SAMPLE
    return np.where(sound, samples, np.float32(0.0)), int(samples.size - np.count_nonzero(sound))


def downmix(samples: FloatArray) -> FloatArray:
    """Average the channels: [n, channels] to [n] float32."""
    if samples.shape[1] == 1:
        return np.ascontiguousarray(samples[:, 0])
    mono: FloatArray = samples.mean(axis=1, dtype=np.float32)
    return mono
