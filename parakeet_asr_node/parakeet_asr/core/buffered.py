"""Buffered streaming of an offline model: windows of left | chunk | right, decoder state carried.

NeMo's left-chunk-right scheme: on every pass the features, with the statistics of the window, and the
encoder see the whole window; the steps of ``chunk`` are decoded with the carried state and committed,
the steps of ``right`` are decoded from a copy of it: the draft. At the start the window grows instead of
being padded, and the last pass decodes everything that remains.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from parakeet_asr.core.commits import CommittingStream
from parakeet_asr.core.engine import EncoderOutput
from parakeet_asr.core.recognizer import Recognizer
from parakeet_asr.errors import ConfigurationError
from parakeet_asr.records import SAMPLE_RATE_HZ, FloatArray, Token


@dataclass(frozen=True, slots=True)
class WindowOptions:
    """Sizes of the window in seconds, rounded down to encoder steps; commit latency = chunk + right."""

    left_s: float = 10.0
    chunk_s: float = 2.0
    right_s: float = 2.0


class BufferedStream(CommittingStream):
    """One utterance on its way through the windows. Positions count samples from its beginning."""

    def __init__(
        self,
        recognizer: Recognizer,
        samples: Callable[[int, int], FloatArray],
        options: WindowOptions | None = None,
    ) -> None:
        """Begin an utterance.

        Args:
            recognizer: features, encoder and decoder.
            samples: gives the utterance's samples [start, stop), of which it holds at least what lies
                ``left_s`` before the last commit.
            options: sizes of the window.

        Raises:
            ConfigurationError: a chunk below one encoder step, or a negative size.
        """
        super().__init__(recognizer, samples)
        sizes = options or WindowOptions()
        self._left = _whole_steps(sizes.left_s, recognizer.step_samples)
        self._chunk = _whole_steps(sizes.chunk_s, recognizer.step_samples)
        self._lookahead = _whole_steps(sizes.right_s, recognizer.step_samples)
        if self._chunk < recognizer.step_samples or min(self._left, self._lookahead) < 0:
            raise ConfigurationError(
                f"expected chunk_s of {recognizer.step_s} s or more and no negative size, got {sizes}"
            )

    def advance(self, available: int) -> tuple[Token, ...] | None:
        """Commit every chunk whose right context is there.

        Whether a chunk is the last one is known only when a sample comes after it, so a pass waits for
        more than chunk + right.

        Args:
            available: samples of the utterance so far.

        Returns:
            The draft that came with the last pass: tokens of its right context; None without a pass.
        """
        draft = None
        while available - self._position > self._chunk + self._lookahead:
            encoded = self._encode(self._position + self._chunk + self._lookahead)
            steps = self._chunk // self._recognizer.step_samples
            self._commit(_steps(encoded, 0, steps), self._position + self._chunk)
            draft = self._decode(_steps(encoded, steps, None)).tokens
        return draft

    def draft(self, available: int) -> tuple[Token, ...]:
        """Decode all that is not committed from a copy of the state, which stays as it is."""
        return self._decode(self._encode(available)).tokens

    def flush(self, end: int) -> tuple[Token, ...]:
        """The utterance ended: commit everything that remains, and give all tokens up to sample ``end``."""
        self.advance(end)
        if end > self._position:
            self._commit(self._encode(end), end)
        return self._up_to(end)

    def _encode(self, stop: int) -> EncoderOutput | None:
        """Encoder steps from the commit position to ``stop``; None when there is not a frame."""
        start = max(0, self._position - self._left)
        if not self._recognizer.features.frame_count(stop - start):
            return None
        encoded = self._recognizer.encode([self._samples(start, stop)])
        return _steps(encoded, (self._position - start) // self._recognizer.step_samples, None)


def _whole_steps(seconds: float, step_samples: int) -> int:
    return int(seconds * SAMPLE_RATE_HZ + 1e-6) // step_samples * step_samples


def _steps(encoded: EncoderOutput | None, first: int, last: int | None) -> EncoderOutput | None:
    if encoded is None:
        return None
    stop = int(encoded.lengths[0]) if last is None else min(last, int(encoded.lengths[0]))
    return EncoderOutput(encoded.projected[:, first:stop], np.array([max(0, stop - first)], np.int64))
