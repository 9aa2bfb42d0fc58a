"""From sound to the features that a model was trained on."""

from __future__ import annotations

import numpy as np

from parakeet_asr.core.feature_stream import FeatureStream
from parakeet_asr.core.log_mel import RECIPES, Precision
from parakeet_asr.core.model_spec import FeatureSpec
from parakeet_asr.core.sound import as_signal
from parakeet_asr.records import FloatArray

_STD_GUARD = np.float32(1e-5)  # NeMo's CONSTANT


class FeatureExtractor:
    """Features of whole signals. Not thread safe: it owns buffers.

    Empty input, and input shorter than a frame, gives [mels, 0]. See :class:`FeatureStream` for what
    becomes of samples that are no numbers.
    """

    def __init__(self, spec: FeatureSpec, *, precision: Precision = "auto") -> None:
        """Compute what ``spec`` says."""
        self.spec = spec
        self._recipe = RECIPES[spec.recipe]
        self._stream = FeatureStream(spec, precision=precision)

    def frame_count(self, samples: int) -> int:
        """Frames that a signal of so many samples gives."""
        return self._recipe.frame_count(samples)

    def log_mel(self, samples: FloatArray) -> FloatArray:
        """Log-mel energies before normalisation.

        Args:
            samples: [n] floating point, 16 kHz.

        Returns:
            [mels, frame_count(n)] float32, C-contiguous.

        Raises:
            AudioFormatError: not a vector of floating-point numbers.
        """
        signal = as_signal(samples)
        out = np.empty((self.spec.mels, self.frame_count(signal.size)), np.float32)
        self._stream.whole_into(signal, out)
        return out

    def extract(self, samples: FloatArray) -> FloatArray:
        """What the encoder reads: :meth:`log_mel`, normalised where the model wants it."""
        features = self.log_mel(samples)
        if self.spec.normalize == "per_feature":
            _normalize_in_place(features)
        return features


def normalize_per_feature(log_mel: FloatArray) -> FloatArray:
    """Zero mean and unit deviation over time for every mel band, as NeMo does it.

    ``(x - mean) / (std + 1e-5)`` with the N-1 deviation; a single frame, whose deviation is not
    defined, gives zeros, and so does a constant band.

    Args:
        log_mel: [mels, frames] float32, valid frames only.
    """
    out = np.array(log_mel, np.float32)
    _normalize_in_place(out)
    return out


def _normalize_in_place(x: FloatArray) -> None:
    frames = x.shape[1]
    if frames == 0:
        return
    # Subtracting the first frame changes nothing but rounding: a constant band, such as the floor of
    # digital silence, becomes exactly 0 instead of a rounding error divided by 1e-5.
    x -= x[:, :1].copy()
    x -= x.mean(axis=1, keepdims=True)
    variance = np.einsum("mt,mt->m", x, x) / np.float32(max(1, frames - 1))
    x /= (np.sqrt(variance) + _STD_GUARD)[:, None]
