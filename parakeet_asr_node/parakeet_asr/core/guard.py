"""The blank guard: speech about which the decoder wrote nothing is decoded again, alone.

A transducer can fall silent on clear speech: after digital silence, after a sentence end, with an unlucky
state. Wherever the decoder wrote nothing for long and a voice detector hears speech there, that stretch
goes through the encoder and a fresh decoder once more, with other margins, and what comes out is spliced
in by time. Detector and decoder both run on the holes only: without a hole the guard costs nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Protocol

import numpy as np

from parakeet_asr.core.endpoint import VoiceDetector
from parakeet_asr.core.tokenizer import Tokenizer, starts_word
from parakeet_asr.errors import ConfigurationError
from parakeet_asr.records import SAMPLE_RATE_HZ, FloatArray, Token


class Alone(Protocol):
    """What the guard needs of a recognizer."""

    tokenizer: Tokenizer

    @property
    def step_samples(self) -> int:
        """Samples per encoder step."""
        ...

    def decode_alone(self, samples: FloatArray) -> tuple[Token, ...]:
        """Tokens of [n] samples from a fresh state; steps count from their beginning."""
        ...


_WARM_UP_S = 0.5  # audio before a hole that the detector hears first


@dataclass(frozen=True, slots=True)
class GuardOptions:
    """When silence of the decoder is suspicious, and what is believed afterwards."""

    min_speech_s: float = 0.4  # speech that the detector must hear in a hole
    hole_s: float = 1.0  # a stretch without a token, longer than this, is a hole
    speech_threshold: float = 0.6  # above the endpointer's: a hole needs clear speech
    margins_s: tuple[float, ...] = (0.1, 0.3)  # audio around the stretch, tried one after the other
    min_confidence: float = 0.5  # mean confidence below which the result is thrown away

    def __post_init__(self) -> None:
        """Refuse what cannot work.

        Raises:
            ConfigurationError: a length is not positive, or there is no margin to try.
        """
        for name in ("min_speech_s", "hole_s"):
            if not getattr(self, name) > 0:
                raise ConfigurationError(f"guard.{name}: expected more than 0, got {getattr(self, name)}")
        if not self.margins_s or min(self.margins_s) < 0:
            raise ConfigurationError(f"guard.margins_s: expected one or more from 0 on, got {self.margins_s}")


@dataclass(frozen=True, slots=True)
class Hole:
    """A stretch without a token, in samples."""

    start: int
    stop: int


class BlankGuard:
    """Finds holes with speech in them and fills them. Not thread safe: it owns a detector."""

    def __init__(self, detector: Callable[[], VoiceDetector], options: GuardOptions | None = None) -> None:
        """Listen into holes with a detector of its own, made when the first hole comes."""
        self._make_detector = detector
        self.options = options or GuardOptions()
        self.suspicious = 0  # holes with speech so far
        self.filled = 0  # of these, holes that the second pass filled

    def recover(
        self, samples: FloatArray, tokens: tuple[Token, ...], first_step: int, alone: Alone
    ) -> tuple[Token, ...]:
        """Fill the holes of one piece of audio.

        Args:
            samples: [n] the audio.
            tokens: what the decoder wrote about it.
            first_step: step at which the audio begins, on the tokens' count.
            alone: decodes a stretch by itself.

        Returns:
            All tokens in order of time; the very same tuple when nothing was recovered.
        """
        found: list[Token] = []
        pieces, step = alone.tokenizer.pieces, alone.step_samples
        for hole in holes(tokens, first_step, len(samples), step, self.options.hole_s, pieces):
            speech = self._speech_in(samples, hole)
            if speech is not None:
                self.suspicious += 1
                filling = self._fill(samples, hole, speech, alone)
                self.filled += bool(filling)
                found += (replace(token, start_step=token.start_step + first_step) for token in filling)
        return tuple(sorted((*tokens, *found), key=lambda token: token.start_step)) if found else tokens

    @cached_property
    def _detector(self) -> VoiceDetector:
        return self._make_detector()

    def _speech_in(self, samples: FloatArray, hole: Hole) -> Hole | None:
        """From the first to the last frame with speech in a hole; None when there is too little."""
        detector = self._detector
        frame = detector.frame_samples
        first = max(0, hole.start - round(_WARM_UP_S * SAMPLE_RATE_HZ))
        detector.reset()
        voiced = [
            start
            for start in range(first, hole.stop - frame + 1, frame)
            if detector.probability(samples[start : start + frame]) >= self.options.speech_threshold
            and start >= hole.start
        ]
        if len(voiced) * frame < self.options.min_speech_s * SAMPLE_RATE_HZ:
            return None
        return Hole(voiced[0], voiced[-1] + frame)

    def _fill(self, samples: FloatArray, hole: Hole, speech: Hole, alone: Alone) -> list[Token]:
        """The first attempt that gives whole words, of sufficient confidence, inside the hole."""
        step = alone.step_samples
        for margin_s in self.options.margins_s:
            margin = round(margin_s * SAMPLE_RATE_HZ)
            first = max(0, speech.start - margin) // step
            stretch = samples[first * step : min(len(samples), speech.stop + margin)]
            heard = [replace(t, start_step=t.start_step + first) for t in alone.decode_alone(stretch)]
            inside = whole_words_inside(heard, hole.start / step, hole.stop / step, alone.tokenizer.pieces)
            if inside and np.mean([t.confidence for t in inside]) >= self.options.min_confidence:
                return inside
        return []


def holes(
    tokens: Sequence[Token],
    first_step: int,
    samples: int,
    step_samples: int,
    hole_s: float,
    pieces: Sequence[str],
) -> Iterator[Hole]:
    """Stretches longer than ``hole_s`` between words, before the first and after the last.

    A stretch inside a word is a word that was drawn out: words put there would tear it apart.
    """
    least = hole_s * SAMPLE_RATE_HZ if tokens else 0.0  # an audio without a token is suspicious at any length
    begins = [step_samples * (t.start_step - first_step) for t in tokens]
    lasts = [step_samples * max(1, t.duration_steps) for t in tokens]
    ends = [0, *(begin + last for begin, last in zip(begins, lasts, strict=True))]
    between = [*(starts_word(pieces[t.id]) for t in tokens), True]
    for end, begin, allowed in zip(ends, [*begins, samples], between, strict=True):
        if allowed and begin - end > least:
            yield Hole(end, min(begin, samples))


def whole_words_inside(
    tokens: Sequence[Token], first_step: float, last_step: float, pieces: Sequence[str]
) -> list[Token]:
    """Tokens in [first_step, last_step) without the rest of a word that begins before or ends behind."""
    inside = [i for i, token in enumerate(tokens) if first_step <= token.start_step < last_step]
    while inside and not starts_word(pieces[tokens[inside[0]].id]):
        inside.pop(0)
    if inside and inside[-1] + 1 < len(tokens):
        behind = inside[-1] + 1
        while inside and not starts_word(pieces[tokens[behind].id]):
            behind = inside.pop()
    return [tokens[i] for i in inside]
