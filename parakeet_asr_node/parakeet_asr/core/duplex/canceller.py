"""What takes the echo of a known sound out of what the microphone captured."""

from __future__ import annotations

from typing import Protocol

from parakeet_asr.records import SAMPLE_RATE_HZ, FloatArray

CANCELLER_FRAME_SAMPLES = SAMPLE_RATE_HZ // 100
"""10 ms."""


class EchoCanceller(Protocol):
    """Adapts to the room while it works; near and far frames belong together and come one by one."""

    def cancel(self, near: FloatArray, far: FloatArray) -> FloatArray:
        """One frame of the microphone without its echo.

        Args:
            near: [CANCELLER_FRAME_SAMPLES] float32, what the microphone captured.
            far: the same of what was played, aligned so that its echo comes not before it and not more
                than about 0.1 s after it.
        """
        ...

    def reset(self) -> None:
        """Forget the room."""
        ...
