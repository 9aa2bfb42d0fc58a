"""Cache-aware streaming: every frame goes through the encoder once, the past comes out of its caches.

For models that were trained for it: causal convolutions and attention in chunks. What is committed is what
one pass over the whole utterance gives, because both see the same context; so nothing waits for audio on the
right beyond the chunk itself. The last chunk of an utterance is encoded as far as it goes.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from parakeet_asr.core.decoding import Decoded, DecoderState, initial_state
from parakeet_asr.core.engine import EncoderOutput
from parakeet_asr.core.feature_stream import FeatureStream
from parakeet_asr.core.recognizer import Recognizer
from parakeet_asr.core.spectrum import HOP_SAMPLES
from parakeet_asr.records import FloatArray, Token


class CacheAwareStream:
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
        spec = recognizer.spec
        streaming = spec.encoder.streaming
        self._recognizer = recognizer
        self._samples = samples
        self._encoder = recognizer.engine.open_stream()
        self._features = FeatureStream(spec.features)
        self._taken = 0  # samples that went into the features
        self._window = np.zeros((1, spec.features.mels, streaming.window_frames), np.float32)
        self._before = streaming.window_frames - streaming.first_chunk_frames  # columns before the chunk
        self._filled = self._before
        self._kept_frames = streaming.pre_encode_cache_frames
        self._state: DecoderState = initial_state(spec.decoder)
        self._committed: list[Token] = []
        self._position = 0  # samples committed

    @property
    def committed(self) -> tuple[Token, ...]:
        """Tokens that will not change."""
        return tuple(self._committed)

    @property
    def committed_samples(self) -> int:
        """Up to where they reach."""
        return self._position

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

    def blank_samples(self, tail: tuple[Token, ...]) -> int:
        """Samples without a token at the end of what is committed, with ``tail`` behind it."""
        last = tail[-1] if tail else (self._committed[-1] if self._committed else None)
        spoken = 0 if last is None else last.end_step
        return max(0, self._position - spoken * self._recognizer.step_samples)

    def draft(self, available: int) -> tuple[Token, ...]:
        """Tokens of the begun chunk, which changes nothing; behind an :meth:`advance` to the same place."""
        assert available == self._taken, f"advance to {available} first, not to {self._taken}"
        if self._filled == self._before:
            return ()
        return self._decode(self._encoder.peek(self._window, self._filled)).tokens

    def flush(self, available: int) -> None:
        """The utterance ended: commit everything that remains."""
        self.advance(available)
        self._take(self._features.flush())
        if self._filled > self._before:
            self._commit()
        self._position = available

    def _take(self, frames: FloatArray) -> None:
        """Put new frames [mels, n] behind those of the window, and commit it whenever it is full."""
        size = self._window.shape[2]
        while frames.shape[1]:
            count = min(frames.shape[1], size - self._filled)
            self._window[0, :, self._filled : self._filled + count] = frames[:, :count]
            self._filled += count
            frames = frames[:, count:]
            if self._filled == size:
                self._commit()

    def _commit(self) -> None:
        """Encode and decode the window, and keep its last frames for the next one."""
        decoded = self._decode(self._encoder.step(self._window, self._filled))
        self._committed += decoded.tokens
        self._state = decoded.state
        self._position += (self._filled - self._before) * HOP_SAMPLES
        self._window[:, :, : self._kept_frames] = self._window[:, :, -self._kept_frames :].copy()
        self._before = self._filled = self._kept_frames

    def _decode(self, encoded: EncoderOutput) -> Decoded:
        return self._recognizer.decode(encoded, [self._state])[0]
