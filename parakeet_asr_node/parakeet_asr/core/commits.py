"""What an utterance's decoder has written for good, and the state from which it goes on."""

from __future__ import annotations

from collections.abc import Callable

from parakeet_asr.core.decoding import Decoded, DecoderState, initial_state
from parakeet_asr.core.engine import EncoderOutput
from parakeet_asr.core.recognizer import Recognizer
from parakeet_asr.records import FloatArray, Token


class CommittingStream:
    """The book-keeping of every stream; how encoder steps come about is the business of who inherits.

    Positions count samples from the utterance's beginning.
    """

    def __init__(self, recognizer: Recognizer, samples: Callable[[int, int], FloatArray]) -> None:
        """Begin an utterance, whose samples [start, stop) ``samples`` gives."""
        self._recognizer = recognizer
        self._samples = samples
        self._lookahead = 0  # samples behind the commit position that every commit sees
        self._position = 0  # samples committed
        self._committed: list[Token] = []
        self._state: DecoderState = initial_state(recognizer.spec.decoder)

    @property
    def committed(self) -> tuple[Token, ...]:
        """Tokens that will not change."""
        return tuple(self._committed)

    @property
    def committed_samples(self) -> int:
        """Up to where they reach."""
        return self._position

    def blank_samples(self, tail: tuple[Token, ...]) -> int:
        """Samples without a token at the end of what the last commit saw, whose draft was ``tail``.

        Only what is decoded at fixed sample counts counts, never a draft that load may leave out:
        endpoints must not depend on load.
        """
        last = tail[-1] if tail else (self._committed[-1] if self._committed else None)
        spoken = 0 if last is None else last.end_step
        return max(0, self._position + self._lookahead - spoken * self._recognizer.step_samples)

    def _up_to(self, end: int) -> tuple[Token, ...]:
        """What is committed of the samples before ``end``."""
        step = self._recognizer.step_samples
        return tuple(token for token in self._committed if token.start_step * step < end)

    def _decode(self, encoded: EncoderOutput | None) -> Decoded:
        """Decode from a copy of the state, which stays as it is; None is less than a step."""
        if encoded is None or encoded.lengths[0] <= 0:
            return Decoded((), self._state)
        return self._recognizer.decode(encoded, [self._state])[0]

    def _commit(self, encoded: EncoderOutput | None, position: int) -> None:
        """Write for good what the steps up to sample ``position`` say."""
        decoded = self._decode(encoded)
        self._committed += decoded.tokens
        self._state = decoded.state
        self._position = position
