"""Power spectra of overlapping frames as a few small matrix products.

A frame is 400 samples under a Hann window, transformed in 512 points. Only the power is wanted, so the
origin of time is free; put at the window's middle (sample 200) the cosine part sees only the even and the
sine part only the odd half of the frame:

    C[k] = sum_m (x[200+m] + x[200-m]) cos(2 pi k m / 512)        m = 0 ... 199, k = 0 ... 256
    S[k] = sum_m (x[200+m] - x[200-m]) sin(2 pi k m / 512)

``cos(2 pi (256-k) m / 512) = (-1)^m cos(2 pi k m / 512)``, so the sums over even and over odd m for
k = 0 ... 128 give bin k when added and bin 256-k when subtracted; the sine likewise, up to a sign that the
power does not show. Each of these sums has a symmetry of its own, and is halved once more:

    even m = 2p        by the parity of p: k and 128-k are sum and difference
    odd m = 2p + 1     p and 127-p meet in k with the same factor up to (-1)^k

What is left are eight products of about [64, 64] matrices, a seventh of the plain transform's work at the
full speed of the BLAS: several times faster than an FFT from NumPy, and rounded like one, because the
sums are short (docs/decisions/0002-features.md).

Everything is laid out [.., frames], so that each operation runs over contiguous memory and the result has
the layout of the features.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parakeet_asr.core.filterbank import BINS, FFT_SIZE
from parakeet_asr.records import FloatArray

AnyFloatArray = NDArray[Any]  # float32 or float64

HOP_SAMPLES = 160  # 10 ms
WINDOW_SAMPLES = 400  # 25 ms
TILE_FRAMES = 32
"""Products are computed for a multiple of so many frames: every BLAS rounds the columns that do not fill
its tiles differently, and a frame must not depend on how many came with it."""

_HOPS_PER_FRAME = -(-WINDOW_SAMPLES // HOP_SAMPLES)
_HALF = WINDOW_SAMPLES // 2  # distances m from the middle: 0 ... 199
_HALF_BINS = BINS // 2  # 128: bin 256-k is made from the sums of bin k
_QUARTER_BINS = BINS // 4  # 64
_EVEN = _HALF // 4  # 50 even distances of each parity
_ODD = _HALF // 2  # 100 odd distances
_ALONE = _HALF_BINS - _ODD  # 28 of them, whose partner 127-p would be beyond the window


def samples_of(frames: int) -> int:
    """Samples under ``frames`` consecutive frames."""
    return (frames - 1) * HOP_SAMPLES + WINDOW_SAMPLES


def frames_of(samples: int) -> int:
    """Frames that fit completely into ``samples``."""
    return max(0, (samples - WINDOW_SAMPLES) // HOP_SAMPLES + 1)


def tile_samples_of(frames: int) -> int:
    """Samples that :class:`PowerSpectrum` reads for so many frames."""
    return (_whole_tiles(frames) + _HOPS_PER_FRAME - 1) * HOP_SAMPLES


@cache
def blas_rounds_columns_alike() -> bool:
    """Whether a frame's numbers in single precision do not depend on its place among the others.

    They do with OpenBLAS's kernels for AVX2 (Haswell, Zen), not with those for AVX-512, SSE or AVX.
    """
    factors = _transforms()[0][0, 0].astype(np.float32)
    column = np.random.default_rng(0).standard_normal((factors.shape[1], 1)).astype(np.float32)
    products = [factors @ np.repeat(column, tiles * TILE_FRAMES, axis=1) for tiles in (1, 2, 3, 4)]
    return all(bool((product == products[0][:, :1]).all()) for product in products)


class PowerSpectrum:
    """Computes up to ``block_frames`` (a multiple of TILE_FRAMES) spectra at a time in its own buffers."""

    def __init__(self, block_frames: int, window: FloatArray, dtype: type[np.floating[Any]]) -> None:
        """Compute with a window [WINDOW_SAMPLES] in single or double precision."""
        self._window = window.astype(dtype)[:, None]
        self._even_transform, self._odd_transform = (part.astype(dtype) for part in _transforms())
        columns = block_frames + _HOPS_PER_FRAME - 1

        def buffer(*shape: int) -> AnyFloatArray:
            return np.zeros(shape, dtype)

        self._hops = buffer(HOP_SAMPLES, columns)
        self._frames = buffer(WINDOW_SAMPLES, block_frames)
        self._halves = buffer(2, _HALF, block_frames)  # even, odd
        self._folded = buffer(2, 2, _QUARTER_BINS, block_frames)  # near + far, near - far
        self._even_sums = buffer(2, 2, _QUARTER_BINS + 1, block_frames)
        self._odd_sums = buffer(2, _HALF_BINS + 1, block_frames)
        self._low = buffer(2, _HALF_BINS + 1, block_frames)
        self._high = buffer(2, _HALF_BINS + 1, block_frames)
        self._power = buffer(BINS, block_frames)

    def __call__(self, samples: FloatArray, count: int) -> AnyFloatArray:
        """Power spectra of the frames at 0, 160, 320 ... of ``samples``.

        Args:
            samples: at least [tile_samples_of(count)] float32, contiguous; behind samples_of(count) any
                finite numbers will do.
            count: frames wanted, 1 <= count <= block_frames.

        Returns:
            [BINS, n], where n is ``count`` rounded up to whole tiles, valid until the next call; the
            columns from ``count`` on have no meaning.
        """
        width = _whole_tiles(count)
        self._split(self._windowed(samples, width), width)
        self._transform(width)
        return self._power_of(width)

    def _windowed(self, samples: FloatArray, width: int) -> AnyFloatArray:
        """Frames under the window: [WINDOW_SAMPLES, width]; sample n of a frame is row n."""
        columns = width + _HOPS_PER_FRAME - 1
        hops, frames = self._hops[:, :columns], self._frames[:, :width]
        np.copyto(hops, samples[: columns * HOP_SAMPLES].reshape(columns, HOP_SAMPLES).T)
        for hop in range(_HOPS_PER_FRAME):
            rows = slice(hop * HOP_SAMPLES, min((hop + 1) * HOP_SAMPLES, WINDOW_SAMPLES))
            height = rows.stop - rows.start
            np.multiply(hops[:height, hop : hop + width], self._window[rows], out=frames[rows])
        return frames

    def _split(self, frames: AnyFloatArray, width: int) -> None:
        """Even and odd half around sample 200: row m holds distance m."""
        after, before = frames[_HALF:], frames[_HALF:0:-1]
        np.add(after, before, out=self._halves[0, :, :width])
        np.subtract(after, before, out=self._halves[1, :, :width])

    def _transform(self, width: int) -> None:
        """Sums over even distances, by parity of p, and over odd distances for k = 0 ... 128."""
        halves = self._halves[:, :, :width]
        even = halves[:, 0::2].reshape(2, _EVEN, 2, width).swapaxes(1, 2)
        np.matmul(self._even_transform, even, out=self._even_sums[..., :width])

        odd, folded = halves[:, 1::2], self._folded[..., :width]
        near, far = odd[:, _ALONE:_QUARTER_BINS], odd[:, : _QUARTER_BINS - 1 : -1]
        folded[:, :, :_ALONE] = odd[:, None, :_ALONE]
        np.add(near, far, out=folded[:, 0, _ALONE:])
        np.subtract(near, far, out=folded[:, 1, _ALONE:])
        for part in (0, 1):  # cosines for k = 0 ... 127, sines for k = 1 ... 128; what is left out is 0
            sums = self._odd_sums[part, part : part + _HALF_BINS, :width]
            by_parity = sums.reshape(_QUARTER_BINS, 2, width).swapaxes(0, 1)
            np.matmul(self._odd_transform[part], folded[part], out=by_parity)

    def _power_of(self, width: int) -> AnyFloatArray:
        """Put the sums together and square them: [BINS, width]."""
        even_sums, odd_sums = self._even_sums[..., :width], self._odd_sums[..., :width]
        low, high, power = self._low[..., :width], self._high[..., :width], self._power[:, :width]
        first, second = even_sums[:, 0], even_sums[:, 1]
        np.add(first, second, out=low[:, : _QUARTER_BINS + 1])
        np.subtract(first[:, :-1], second[:, :-1], out=low[:, :_QUARTER_BINS:-1])
        np.subtract(low, odd_sums, out=high)
        np.add(low, odd_sums, out=low)
        np.square(low, out=low)
        np.square(high, out=high)
        np.add(low[0], low[1], out=power[: _HALF_BINS + 1])
        np.add(high[0, :-1], high[1, :-1], out=power[:_HALF_BINS:-1])
        return power


def _whole_tiles(frames: int) -> int:
    return -(-frames // TILE_FRAMES) * TILE_FRAMES


def _transforms() -> tuple[AnyFloatArray, AnyFloatArray]:
    """Factors of even [cos|sin, parity of p, k, p] and odd distances [cos|sin, sum|difference, k, p]."""
    k = np.arange(_QUARTER_BINS + 1)[:, None]
    p = np.arange(2 * _EVEN)
    cosine, sine = _cosine_sine(k * 2 * p)
    cosine[:, 0] = 0.5  # the split adds the sample in the middle to itself
    even = [[part[:, 0::2], part[:, 1::2]] for part in (cosine, sine)]

    k = np.arange(_HALF_BINS + 1)[:, None]
    cosine, sine = _cosine_sine(k * (2 * np.arange(_QUARTER_BINS) + 1))
    # Bin 128-k of the even sines comes out of the subtraction with the wrong sign; the power does not
    # mind as long as what is added to it changes its sign too.
    sine[_QUARTER_BINS + 1 :] *= -1.0
    odd = [[cosine[0:-1:2], cosine[1::2]], [sine[1::2], sine[2::2]]]
    return np.array(even), np.array(odd)


def _cosine_sine(turns: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    angle = 2.0 * np.pi / FFT_SIZE * (turns % FFT_SIZE)
    return np.cos(angle), np.sin(angle)
