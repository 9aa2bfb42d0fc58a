"""What a cache-aware encoder may be fed at each step, and what it must answer: asserted at every one.

The right context is in the graph. A chunk of another size would run, and silently lose audio; so engines
hold every step against these numbers, which costs microseconds.
"""

from __future__ import annotations

import numpy as np

from parakeet_asr.core.model_spec import ModelSpec
from parakeet_asr.errors import EngineError
from parakeet_asr.records import FloatArray


def require_cache_aware(spec: ModelSpec) -> None:
    """Refuse a model that has no caches.

    Raises:
        EngineError: it is an offline one.
    """
    kind = spec.encoder.streaming.kind
    if kind != "cache_aware":
        raise EngineError(
            f"model {spec.name!r}: expected a cache_aware one to stream with caches, this one is {kind}; "
            "core.streaming.open_utterance_stream chooses what fits"
        )


class StreamContract:
    """Follows one stream from its beginning."""

    def __init__(self, spec: ModelSpec) -> None:
        """Hold a stream of this model to its contract.

        Raises:
            EngineError: it is an offline model.
        """
        require_cache_aware(spec)
        self._streaming = spec.encoder.streaming
        self._factor = spec.encoder.subsampling_factor
        self._shape = (1, spec.features.mels, self._streaming.window_frames)
        self.reset()

    def reset(self) -> None:
        """A new signal begins."""
        self._cached = 0  # steps
        self._ended = False

    @property
    def frames_before(self) -> int:
        """Columns of the next window that lie before its chunk."""
        if self._cached:
            return self._streaming.pre_encode_cache_frames
        return self._streaming.window_frames - self._streaming.first_chunk_frames

    @property
    def cached_steps(self) -> int:
        """Steps in the attention cache."""
        return self._cached

    def check_input(self, window: FloatArray, length: int) -> None:
        """Assert that the window may be fed here.

        Raises:
            EngineError: naming what was expected and what came.
        """
        if window.shape != self._shape or window.dtype != np.float32:
            raise EngineError(
                f"expected a window of float32{list(self._shape)}, got {window.dtype}{list(window.shape)}: "
                f"the model streams {self._streaming.chunk_frames} frames at a time behind "
                f"{self._streaming.pre_encode_cache_frames}; another size would lose audio"
            )
        if self._ended:
            raise EngineError(
                "the stream ended with a chunk that was not whole; reset it before the next signal"
            )
        before = self.frames_before
        if not before < length <= self._shape[2]:
            raise EngineError(
                f"expected a length of {before + 1} to {self._shape[2]} columns, of which {before} lie "
                f"before the chunk, got {length}"
            )
        if not self._cached and window[:, :, :before].any():
            raise EngineError(
                f"expected zeros in the {before} columns before the first chunk of "
                f"{self._streaming.first_chunk_frames} frames, got sound: it would be lost"
            )

    def check_output(self, steps: int, cached: int, length: int) -> None:
        """Assert the engine's answer to a window of ``length`` valid columns.

        Args:
            steps: valid steps that came out.
            cached: steps in the next attention cache.
            length: as it was fed.

        Raises:
            EngineError: naming what was expected and what came.
        """
        expected = self.steps_of(length), self._cached_next()
        if (steps, cached) != expected:
            raise EngineError(
                f"a window of {length} columns: expected {expected[0]} steps and {expected[1]} in the cache, "
                f"the graph answered {steps} and {cached}; export the model again"
            )

    def advance(self, length: int) -> None:
        """The step was taken."""
        self._cached = self._cached_next()
        self._ended = length < self._shape[2]

    def steps_of(self, length: int) -> int:
        """Steps that come out of a window of ``length`` valid columns."""
        all_steps = -(-(length - 1) // self._factor) + 1  # of the causal subsampling
        return all_steps - self._streaming.drop_extra_pre_encoded_steps

    def _cached_next(self) -> int:
        return min(self._cached + self._streaming.valid_out_steps, self._streaming.left_context_steps)
