"""Power spectra of overlapping frames as a few matrix products.

A frame is 400 samples under a Hann window, transformed in 512 points. Only the power is wanted, so the
origin of time is free; put at the window's middle (sample 200) the cosine part sees only the even and the
sine part only the odd half of the frame:

    C[k] = sum_m (x[200+m] + x[200-m]) cos(2 pi k m / 512)        m = 0 ... 199
    S[k] = sum_m (x[200+m] - x[200-m]) sin(2 pi k m / 512)

and because ``cos(2 pi (256-k) m / 512) = (-1)^m cos(2 pi k m / 512)`` (the sine likewise, up to the sign),
the sums over even and over odd ``m`` for k = 0 ... 128 give bin k by adding and bin 256-k by subtracting.
What is left are four products of [129, 100] matrices: a quarter of the plain DFT's work, at the speed of
the BLAS. It is several times faster than ``numpy.fft`` here (docs/decisions/0002-features.md).

Everything is laid out [.., frames], so that each operation runs over contiguous memory and the result has
the layout of the features.
"""

from __future__ import annotations

import numpy as np

from parakeet_asr.core.filterbank import BINS, FFT_SIZE
from parakeet_asr.records import FloatArray

HOP_SAMPLES = 160  # 10 ms
WINDOW_SAMPLES = 400  # 25 ms
_HALF = WINDOW_SAMPLES // 2
_FOLDED_BINS = BINS // 2 + 1  # 0 ... 128; bin 256 - k is made from the same sums
_HOPS_PER_FRAME = -(-WINDOW_SAMPLES // HOP_SAMPLES)


def samples_of(frames: int) -> int:
    """Samples under ``frames`` consecutive frames."""
    return (frames - 1) * HOP_SAMPLES + WINDOW_SAMPLES


def frames_of(samples: int) -> int:
    """Frames that fit completely into ``samples``."""
    return max(0, (samples - WINDOW_SAMPLES) // HOP_SAMPLES + 1)


class PowerSpectrum:
    """Computes up to ``block_frames`` power spectra at a time in buffers of its own."""

    def __init__(self, block_frames: int) -> None:
        self.block_frames = block_frames
        self._window = _hann_window()[:, None]
        self._transform = _folded_transform()
        columns = block_frames + _HOPS_PER_FRAME - 1
        self._signal = np.zeros((columns, HOP_SAMPLES), np.float32)
        self._hops = np.empty((HOP_SAMPLES, columns), np.float32)
        self._frames = np.empty((WINDOW_SAMPLES, block_frames), np.float32)
        self._folded = np.empty((4, _HALF // 2, block_frames), np.float32)
        self._sums = np.empty((4, _FOLDED_BINS, block_frames), np.float32)
        self._low = np.empty((2, _FOLDED_BINS, block_frames), np.float32)
        self._power = np.empty((BINS, block_frames), np.float32)

    def __call__(self, samples: FloatArray) -> FloatArray:
        """Power spectra of the frames at 0, 160, 320 ... of ``samples``.

        Args:
            samples: [samples_of(n)] float32, 1 <= n <= block_frames.

        Returns:
            [BINS, n] float32, valid until the next call.
        """
        count = frames_of(samples.size)
        self._fold(self._windowed(samples, count), count)
        return self._power_of(count)

    def _windowed(self, samples: FloatArray, count: int) -> FloatArray:
        """Frames under the window: [WINDOW_SAMPLES, count]; sample n of a frame is row n."""
        self._signal.reshape(-1)[: samples.size] = samples
        columns = count + _HOPS_PER_FRAME - 1
        hops, frames = self._hops[:, :columns], self._frames[:, :count]
        np.copyto(hops, self._signal[:columns].T)
        for hop in range(_HOPS_PER_FRAME):
            rows = slice(hop * HOP_SAMPLES, min((hop + 1) * HOP_SAMPLES, WINDOW_SAMPLES))
            height = rows.stop - rows.start
            np.multiply(hops[:height, hop : hop + count], self._window[rows], out=frames[rows])
        return frames

    def _fold(self, frames: FloatArray, count: int) -> None:
        """Even and odd halves around sample 200, each split into even and odd distances from it."""
        after = frames[_HALF:].reshape(_HALF // 2, 2, count)
        before = frames[_HALF:0:-1].reshape(_HALF // 2, 2, count)
        folded = self._folded[:, :, :count].transpose(1, 0, 2)
        np.add(after, before, out=folded[:, :2])
        np.subtract(after, before, out=folded[:, 2:])

    def _power_of(self, count: int) -> FloatArray:
        sums = np.matmul(self._transform, self._folded[:, :, :count], out=self._sums[:, :, :count])
        low, power = self._low[:, :, :count], self._power[:, :count]
        even, odd = sums[0::2], sums[1::2]
        np.add(even, odd, out=low)
        high = np.subtract(even, odd, out=even)
        np.square(low, out=low)
        np.square(high, out=high)
        np.add(low[0], low[1], out=power[:_FOLDED_BINS])
        np.add(high[0, :-1], high[1, :-1], out=power[: _FOLDED_BINS - 1 : -1])
        return power


def _folded_transform() -> FloatArray:
    """[4, 129, 100]: cosine over even and odd distances, sine over even and odd distances."""
    bins = np.arange(_FOLDED_BINS)[:, None]
    distance = np.arange(_HALF)
    angle = 2.0 * np.pi / FFT_SIZE * (bins * distance % FFT_SIZE)
    cosine, sine = np.cos(angle), np.sin(angle)
    cosine[:, 0] = 0.5  # the fold adds the sample in the middle to itself
    parts = (cosine[:, 0::2], cosine[:, 1::2], sine[:, 0::2], sine[:, 1::2])
    return np.ascontiguousarray(np.stack(parts), np.float32)


def _hann_window() -> FloatArray:
    """The symmetric Hann window, [WINDOW_SAMPLES], rounded step by step like ``torch.hann_window``.

    In single precision its last bits decide what leaks into bands 120 dB below the loudest, and models
    were trained on that.
    """
    angle = np.arange(WINDOW_SAMPLES, dtype=np.float32) * np.float32(2.0 * np.pi / (WINDOW_SAMPLES - 1))
    window: FloatArray = np.cos(angle) * np.float32(-0.5) + np.float32(0.5)
    return window
