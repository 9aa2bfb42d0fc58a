"""How an open utterance is followed: the one place that asks what the model was trained for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from parakeet_asr.core.buffered import BufferedStream, WindowOptions
from parakeet_asr.core.cache_aware import CacheAwareStream
from parakeet_asr.core.recognizer import Recognizer
from parakeet_asr.records import FloatArray, Token

Samples = Callable[[int, int], FloatArray]
"""Gives the samples [start, stop) of an utterance, counted from its beginning."""


class UtteranceStream(Protocol):
    """Recognizes one utterance while it is spoken; positions count samples from its beginning."""

    @property
    def committed(self) -> tuple[Token, ...]:
        """Tokens that will not change."""
        ...

    @property
    def committed_samples(self) -> int:
        """Up to where they reach."""
        ...

    def advance(self, available: int) -> tuple[Token, ...] | None:
        """Commit what is due with ``available`` samples; the draft behind it, None when nothing was due."""
        ...

    def blank_samples(self, tail: tuple[Token, ...]) -> int:
        """Samples without a token at the end of what the last :meth:`advance` saw, which gave ``tail``."""
        ...

    def draft(self, available: int) -> tuple[Token, ...]:
        """Tokens of what is not committed, behind an :meth:`advance` to the same place; changes nothing."""
        ...

    def flush(self, end: int) -> tuple[Token, ...]:
        """The utterance ended: commit everything that remains, and give all tokens up to sample ``end``.

        It may have ended before what is committed already: who cuts looks back for a calm place. Tokens from
        there on are left out, for the next utterance has them.
        """
        ...


def _buffered(recognizer: Recognizer, samples: Samples, window: WindowOptions) -> UtteranceStream:
    return BufferedStream(recognizer, samples, window)


def _cache_aware(recognizer: Recognizer, samples: Samples, _: WindowOptions) -> UtteranceStream:
    return CacheAwareStream(recognizer, samples)  # the sizes of its chunks are the model's


_STREAMS = {"offline": _buffered, "cache_aware": _cache_aware}


def open_utterance_stream(recognizer: Recognizer, samples: Samples, window: WindowOptions) -> UtteranceStream:
    """Follow an utterance as the model wants it.

    Args:
        recognizer: features, encoder and decoder.
        samples: gives the utterance's samples; at least those within ``left_s`` of the last commit.
        window: for an offline model; a cache-aware one has its own sizes.

    Raises:
        ConfigurationError: impossible sizes.
        EngineError: the engine cannot stream this model.
    """
    return _STREAMS[recognizer.spec.encoder.streaming.kind](recognizer, samples, window)
