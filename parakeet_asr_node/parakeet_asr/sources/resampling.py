"""Any sample rate to 16 kHz, piece by piece."""

from __future__ import annotations

import numpy as np
import soxr

from parakeet_asr.core.sound import as_signal
from parakeet_asr.errors import AudioFormatError
from parakeet_asr.records import SAMPLE_RATE_HZ, AudioChunk, FloatArray

LOWEST_RATE_HZ = 1_000
HIGHEST_RATE_HZ = 768_000
_NANOSECONDS = 1_000_000_000


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


class StampedResampler:
    """Sound of any rate with capture times to chunks at 16 kHz with theirs.

    A resampler holds samples back: what comes out next was captured before what goes in next. The stamps
    of the chunks account for that.
    """

    def __init__(self) -> None:
        self._resampler: Resampler | None = None
        self._pushed = self._pulled = 0  # samples that went into and came out of the resampler
        self._next_ns = 0  # capture time of the next sample that goes in, if none is missing
        self._gap = False  # the next chunk comes after missing samples

    def push(
        self, samples: FloatArray, rate_hz: int, stamp_ns: int, *, gap: bool = False
    ) -> list[AudioChunk]:
        """Take the next piece.

        Args:
            samples: [n] float32, mono.
            rate_hz: their rate; it may change from piece to piece.
            stamp_ns: capture time of the first of them.
            gap: samples are missing before it; the filter must not smear over the hole.

        Returns:
            What is ready: nothing, one chunk, or two where the signal was cut.

        Raises:
            AudioFormatError: a rate out of reason, or not a vector of floating-point numbers.
        """
        if self._resampler is None or self._resampler.in_rate_hz != rate_hz:
            resampler = Resampler(rate_hz)  # may raise: before anything is changed
            chunks = self.flush()
            self._resampler = resampler
        else:
            chunks = self.flush() if gap else []
        self._gap |= gap
        start_ns = stamp_ns + self._behind_ns(self._resampler)
        ready = self._resampler.push(samples)
        self._pushed += len(samples)
        self._pulled += len(ready)
        self._next_ns = stamp_ns + len(samples) * _NANOSECONDS // rate_hz
        return [*chunks, *self._chunk(ready, start_ns)]

    def flush(self) -> list[AudioChunk]:
        """Give what is held back; the signal has ended."""
        if self._resampler is None:
            return []
        start_ns = self._next_ns + self._behind_ns(self._resampler)
        rest = self._resampler.flush()
        self._pushed = self._pulled = 0
        return self._chunk(rest, start_ns)

    def _behind_ns(self, resampler: Resampler) -> int:
        """Capture time of the next sample out minus that of the next one in: 0 or less, but for rounding."""
        behind_s = self._pulled / SAMPLE_RATE_HZ - self._pushed / resampler.in_rate_hz
        return round(behind_s * _NANOSECONDS)

    def _chunk(self, samples: FloatArray, start_ns: int) -> list[AudioChunk]:
        if not samples.size:
            return []
        gap, self._gap = self._gap, False
        return [AudioChunk(samples, start_ns, discontinuity=gap)]
