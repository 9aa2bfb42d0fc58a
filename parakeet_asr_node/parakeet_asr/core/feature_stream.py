"""Log-mel frames of a signal that arrives in pieces: the same numbers whatever the split."""

from __future__ import annotations

import numpy as np

from parakeet_asr.core.log_mel import BLOCK_FRAMES, RECIPES, LogMel, Precision
from parakeet_asr.core.model_spec import FeatureSpec
from parakeet_asr.core.sound import as_signal, silence_nonsense
from parakeet_asr.core.spectrum import HOP_SAMPLES, frames_of, samples_of, tile_samples_of
from parakeet_asr.records import FloatArray

_PIECE_SAMPLES = (BLOCK_FRAMES - 1) * HOP_SAMPLES  # one frame less: the end of the signal may add one
_BUFFER_SAMPLES = tile_samples_of(BLOCK_FRAMES) + HOP_SAMPLES


class FeatureStream:
    """Turns pieces of one signal into log-mel frames as soon as they are complete.

    A frame of the ``nemo`` recipe is complete 12.5 ms after its middle, one of ``rust`` 25 ms after its
    beginning. Samples are used as they are, clipped or not, except those that are no sound at all: NaN,
    infinite or beyond 1e9 become 0 and are counted, because a single one would otherwise spoil the
    normalisation of the whole utterance.

    Not thread safe; one signal at a time, :meth:`reset` begins the next one.
    """

    def __init__(self, spec: FeatureSpec, *, precision: Precision = "auto") -> None:
        """Compute the recipe and mel count of ``spec``; its normalisation needs the whole signal."""
        self._recipe = RECIPES[spec.recipe]
        self._kernel = LogMel(self._recipe, spec.mels, precision)
        self._buffer = np.zeros(_BUFFER_SAMPLES, np.float32)
        self.mels = spec.mels
        self.reset()

    @property
    def replaced_samples(self) -> int:
        """Samples of this signal that were no sound and became 0."""
        return self._replaced

    @property
    def frame_count(self) -> int:
        """Frames given out so far."""
        return self._emitted

    def reset(self) -> None:
        """Forget the signal."""
        self._previous = np.float32(0.0)  # last sample, before pre-emphasis
        self._received = 0  # samples
        self._emitted = 0  # frames
        self._replaced = 0
        self._held = self._recipe.lead_samples  # samples in the buffer not yet behind every frame
        self._buffer[: self._held] = 0.0

    def push(self, samples: FloatArray) -> FloatArray:
        """Take the next samples and give the frames that they complete.

        Args:
            samples: [n] floating point, 16 kHz; any n, 0 included.

        Returns:
            [mels, new frames] float32, before normalisation; new frames may be 0.

        Raises:
            AudioFormatError: not a vector of floating-point numbers.
        """
        samples = as_signal(samples)
        out = np.empty((self.mels, frames_of(self._held + samples.size)), np.float32)
        self.push_into(samples, out)
        return out

    def flush(self) -> FloatArray:
        """The frames [mels, n] that reach past the end of the signal, with zeros there; then reset."""
        out = np.empty((self.mels, self._frames_to_come()), np.float32)
        self._finish(out)
        return out

    def push_into(self, samples: FloatArray, out: FloatArray) -> int:
        """Like :meth:`push`, into the first columns of ``out``; returns how many."""
        first = self._emitted
        for start in range(0, samples.size, _PIECE_SAMPLES):
            self._append(samples[start : start + _PIECE_SAMPLES])
            self._emit(frames_of(self._held), out[:, self._emitted - first :])
        return self._emitted - first

    def whole_into(self, samples: FloatArray, out: FloatArray) -> None:
        """Fill ``out`` [mels, frames] with a whole signal; quicker than pushing and flushing."""
        self.reset()
        body = max(0, samples.size - 1) // _PIECE_SAMPLES * _PIECE_SAMPLES
        done = self.push_into(samples[:body], out)
        if body < samples.size:
            self._append(samples[body:])
        self._finish(out[:, done:])

    def _frames_to_come(self) -> int:
        return self._recipe.frame_count(self._received) - self._emitted

    def _finish(self, out: FloatArray) -> None:
        """Emit what is left, with silence behind the signal."""
        count = self._frames_to_come()
        self._buffer[self._held : samples_of(count)] = 0.0
        self._held = max(self._held, samples_of(count))
        self._emit(count, out)
        self.reset()

    def _append(self, samples: FloatArray) -> None:
        """Pre-emphasise behind what the buffer holds."""
        samples, replaced = silence_nonsense(samples)
        self._replaced += replaced
        target = self._buffer[self._held : self._held + samples.size]
        factor = np.float32(self._recipe.preemphasis)
        if factor:
            np.multiply(samples[:-1], -factor, out=target[1:])
            target[0] = -factor * self._previous
            target += samples
        else:
            target[:] = samples
        self._previous = samples[-1]
        self._held += samples.size
        self._received += samples.size

    def _emit(self, count: int, out: FloatArray) -> None:
        if count == 0:
            return
        self._kernel.compute(self._buffer, out[:, :count])
        used = count * HOP_SAMPLES
        self._held = max(0, self._held - used)
        self._buffer[: self._held] = self._buffer[used : used + self._held].copy()
        self._emitted += count
