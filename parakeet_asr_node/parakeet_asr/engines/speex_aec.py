"""Echo cancellation by SpeexDSP, as the package pyaec carries it (extra ``duplex``)."""

from __future__ import annotations

import numpy as np
from pyaec import Aec

from parakeet_asr.core.duplex.canceller import CANCELLER_FRAME_SAMPLES
from parakeet_asr.records import SAMPLE_RATE_HZ, FloatArray

_FULL_SCALE = 32767.0
_FILTER_SAMPLES = SAMPLE_RATE_HZ // 5  # 0.2 s of the room's response


class SpeexCanceller:
    """See :class:`parakeet_asr.core.duplex.canceller.EchoCanceller`. Not thread safe.

    Only the linear filter: Speex's own suppressor of what the filter leaves takes what people say with it.
    """

    def __init__(self) -> None:
        """Know no room yet."""
        self.reset()

    def cancel(self, near: FloatArray, far: FloatArray) -> FloatArray:
        """One frame of the microphone without its echo."""
        cleaned = np.array(self._filter.cancel_echo(_pcm(near), _pcm(far)), np.float32)
        cleaned /= np.float32(_FULL_SCALE)
        return cleaned

    def reset(self) -> None:
        """Forget the room."""
        self._filter = Aec(CANCELLER_FRAME_SAMPLES, _FILTER_SAMPLES, SAMPLE_RATE_HZ, False)


def _pcm(samples: FloatArray) -> list[int]:
    pcm: list[int] = np.round(np.clip(samples, -1.0, 1.0) * _FULL_SCALE).astype(np.int16).tolist()
    return pcm
