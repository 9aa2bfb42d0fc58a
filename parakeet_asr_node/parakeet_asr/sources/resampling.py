"""Any sample rate to 16 kHz, piece by piece."""

from __future__ import annotations

import numpy as np
import soxr

from parakeet_asr.core.sound import as_signal
from parakeet_asr.errors import AudioFormatError
from parakeet_asr.records import SAMPLE_RATE_HZ, FloatArray

LOWEST_RATE_HZ = 1_000
HIGHEST_RATE_HZ = 768_000


class Resampler:
    """A stream of mono sound to 16 kHz with soxr's HQ filter (linear phase, no delay in the numbers).

    The pieces, put together, are what the whole signal gives. At 16 kHz samples pass untouched.
    """

    def __init__(self, in_rate_hz: int) -> None:
        if not LOWEST_RATE_HZ <= in_rate_hz <= HIGHEST_RATE_HZ:
            raise AudioFormatError(
                f"sample rate: expected {LOWEST_RATE_HZ}..{HIGHEST_RATE_HZ} Hz, found {in_rate_hz}; "
                "set the rate at which the sound was recorded"
            )
        self.in_rate_hz = in_rate_hz
        self._stream: soxr.ResampleStream | None = None
        self.reset()

    def reset(self) -> None:
        """Forget the signal; the next piece begins a new one."""
        if self.in_rate_hz != SAMPLE_RATE_HZ:
            self._stream = soxr.ResampleStream(
                self.in_rate_hz, SAMPLE_RATE_HZ, 1, dtype="float32", quality="HQ"
            )

    def push(self, samples: FloatArray) -> FloatArray:
        """Take the next [n] samples; give the [m] samples at 16 kHz that are ready, m may be 0.

        Raises:
            AudioFormatError: not a vector of floating-point numbers.
        """
        samples = as_signal(samples)
        if self._stream is None or samples.size == 0:
            return samples
        return self._run(self._stream, samples, last=False)

    def flush(self) -> FloatArray:
        """Give the [m] samples still held back; the signal has ended, the next piece begins a new one."""
        if self._stream is None:
            return np.zeros(0, np.float32)
        rest = self._run(self._stream, np.zeros(0, np.float32), last=True)
        self.reset()
        return rest

    @staticmethod
    def _run(stream: soxr.ResampleStream, samples: FloatArray, *, last: bool) -> FloatArray:
        return np.asarray(stream.resample_chunk(samples, last=last), np.float32)
