"""Cache-aware streaming: every frame goes through the encoder once, the past comes out of its caches.

For models that were trained for it: causal convolutions and attention in chunks. What is committed is what
one pass over the whole utterance gives, because both see the same context; so nothing waits for audio on the
right beyond the chunk itself. The last chunk of an utterance is encoded as far as it goes.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from parakeet_asr.core.commits import CommittingStream
from parakeet_asr.core.feature_stream import FeatureStream
from parakeet_asr.core.recognizer import Recognizer
from parakeet_asr.core.spectrum import HOP_SAMPLES
from parakeet_asr.records import FloatArray, Token


class CacheAwareStream(CommittingStream):
    """One utterance on its way through the encoder. Positions count samples from its beginning."""

    def __init__(self, recognizer: Recognizer, samples: Callable[[int, int], FloatArray]) -> None:
        """Begin an utterance.

        Args:
            recognizer: features, a cache-aware model's encoder, and decoder.
            samples: gives the utterance's samples [start, stop), of which it holds at least what no call
                has asked for yet.

        Raises:
            EngineError: the model is not cache-aware.
        """
        super().__init__(recognizer, samples)
        spec = recognizer.spec
        streaming = spec.encoder.streaming
        self._encoder = recognizer.engine.open_stream()
        self._features = FeatureStream(spec.features)
        self._taken = 0  # samples that went into the features
        self._window = np.zeros((1, spec.features.mels, streaming.window_frames), np.float32)
        self._before = streaming.window_frames - streaming.first_chunk_frames  # columns before the chunk
        self._filled = self._before
        self._kept_frames = streaming.pre_encode_cache_frames

    def advance(self, available: int) -> tuple[Token, ...] | None:
        """Commit every chunk whose frames are complete.

        Args:
            available: samples of the utterance so far.

        Returns:
            An empty draft when something was committed: nothing is known of what comes behind. Else None.
        """
        position = self._position
        self._take(self._features.push(self._samples(self._taken, available)))
        self._taken = available
        return () if self._position > position else None

    def draft(self, available: int) -> tuple[Token, ...]:
        """Tokens of the begun chunk, which changes nothing; behind an :meth:`advance` to the same place."""
        assert available == self._taken, f"advance to {available} first, not to {self._taken}"
        if self._filled == self._before:
            return ()
        return self._decode(self._encoder.peek(self._window, self._filled)).tokens

    def flush(self, end: int) -> tuple[Token, ...]:
        """The utterance ended: commit everything that remains, and give all tokens up to sample ``end``."""
        self.advance(max(end, self._taken))
        self._take(self._features.flush())
        if self._filled > self._before:
            self._step()
        self._position = self._taken
        return self._up_to(end)

    def _take(self, frames: FloatArray) -> None:
        """Put new frames [mels, n] behind those of the window, and commit it whenever it is full."""
        size = self._window.shape[2]
        while frames.shape[1]:
            count = min(frames.shape[1], size - self._filled)
            self._window[0, :, self._filled : self._filled + count] = frames[:, :count]
            self._filled += count
            frames = frames[:, count:]
            if self._filled == size:
                self._step()

    def _step(self) -> None:
        """Encode and commit the window, and keep its last frames for the next one."""
        encoded = self._encoder.step(self._window, self._filled)
        self._commit(encoded, self._position + (self._filled - self._before) * HOP_SAMPLES)
        self._window[:, :, : self._kept_frames] = self._window[:, :, -self._kept_frames :].copy()
        self._before = self._filled = self._kept_frames
