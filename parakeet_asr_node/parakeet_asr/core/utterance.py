"""One utterance: its place in the stream, its messages, its streamed and its final recognition."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from parakeet_asr.core.agreement import LocalAgreement
from parakeet_asr.core.buffered import WindowOptions
from parakeet_asr.core.recognizer import Recognizer
from parakeet_asr.core.sample_buffer import SampleBuffer
from parakeet_asr.core.streaming import open_utterance_stream
from parakeet_asr.core.timeline import Timeline
from parakeet_asr.core.words import build_words, mean_confidence
from parakeet_asr.records import SAMPLE_RATE_HZ, EndReason, FloatArray, Token, Transcript, Transcription, Word

_CALM_SAMPLES = 320  # 20 ms: energy is compared over pieces of this size
_CALM_PIECES = 10  # smoothed over 0.2 s


class Utterance:
    """Speech from ``start_sample`` on; numbers its messages and turns sample counts into capture time."""

    def __init__(
        self,
        recognizer: Recognizer,
        buffer: SampleBuffer,
        timeline: Timeline,
        start_sample: int,
        window: WindowOptions,
        agreement: LocalAgreement,
    ) -> None:
        """Begin at ``start_sample`` of the buffer, which keeps what follows until the utterance ended."""
        self._recognizer = recognizer
        self._buffer = buffer
        self._timeline = timeline
        self._stream = open_utterance_stream(recognizer, self._view, window)
        self._draft: tuple[Token, ...] = ()
        self._looked = False  # something was decoded that the agreement has not seen
        self._agreement = agreement
        self._looks = 0  # also those of which nothing was said: a revision depends on the sound, not on load
        self._spoke = False  # there was a message
        self._shown: tuple[str, int, int] = ("", 0, 0)
        self.start_sample = start_sample
        self.start_ns = timeline.stamp_ns(start_sample)
        self.audio_gap = False
        self.blank_samples = 0  # without a word at the end of the last committed window

    @property
    def id(self) -> str:
        """Seconds of the capture time with six digits: the same audio gives the same id."""
        return f"{self.start_ns // 1_000_000_000}.{self.start_ns % 1_000_000_000 // 1000:06d}"

    def advance(self, end_sample: int, *, draft: bool) -> None:
        """Commit what is due up to ``end_sample``; with ``draft`` also look at all that is not."""
        self._looks += 1
        available = end_sample - self.start_sample
        tail = self._stream.advance(available)
        if tail is not None:
            self._draft = tail
            self.blank_samples = self._stream.blank_samples(tail)
            self._looked = True
        elif draft:
            self._draft = self._stream.draft(available)
            self._looked = True

    def partial(self, end_sample: int) -> Transcript | None:
        """What was heard up to ``end_sample``, or None when there is nothing new to say."""
        committed = self._stream.committed
        heard = self._recognizer.transcription(committed + self._draft, end_sample - self.start_sample)
        if self._looked:
            self._agreement.push([word.text for word in heard.words])
            self._looked = False
        stable = self._stable_words(committed)
        agreed = max(stable, self._agreement.words)
        if (heard.text, stable, agreed) == self._shown or not _says_something(heard.text):
            return None
        return self._message(heard, stable, agreed, None)

    def final(self, end_sample: int, reason: EndReason, window_s: float) -> Transcript | None:
        """The last message, or None when nothing was ever heard.

        It is decoded from the whole utterance in one full-context pass; one that is longer than
        ``window_s`` keeps what was streamed.
        """
        samples = end_sample - self.start_sample
        if samples <= window_s * SAMPLE_RATE_HZ:
            heard = self._recognizer.recognize([self._view(0, samples)])[0]
        else:
            heard = self._recognizer.transcription(self._stream.flush(samples), samples)
        if not self._spoke and not _says_something(heard.text):
            return None
        return self._message(heard, len(heard.words), len(heard.words), reason)

    def calmest_sample(self, end_sample: int) -> int:
        """Where to cut: the middle of the quietest 0.2 s of the last half.

        Looking back further finds pauses more often than looking at the last third only, and costs
        less in words than it loses in length (docs/streaming.md).
        """
        start = self.start_sample + (end_sample - self.start_sample) // 2
        samples = self._buffer.view(start, end_sample)
        pieces = samples[: len(samples) // _CALM_SAMPLES * _CALM_SAMPLES].reshape(-1, _CALM_SAMPLES)
        energy = np.square(pieces).sum(axis=1)
        smooth = np.convolve(energy, np.ones(_CALM_PIECES), "valid")
        return start + (int(smooth.argmin()) + _CALM_PIECES // 2) * _CALM_SAMPLES

    def _view(self, start: int, stop: int) -> FloatArray:
        return self._buffer.view(self.start_sample + start, self.start_sample + stop)

    def _stable_words(self, committed: tuple[Token, ...]) -> int:
        """Words that are committed as a whole: the last one may still go on, if only by a comma."""
        words = build_words(committed, self._recognizer.tokenizer.pieces, self._recognizer.step_s)
        return max(0, len(words) - 1)

    def _message(
        self, heard: Transcription, stable_words: int, agreed_words: int, reason: EndReason | None
    ) -> Transcript:
        self._spoke = True
        self._shown = (heard.text, stable_words, agreed_words)
        words = tuple(self._captured(word) for word in heard.words) if self.audio_gap else heard.words
        return Transcript(
            utterance_id=self.id,
            revision=self._looks + (reason is not None),
            is_final=reason is not None,
            text=heard.text,
            stable_words=stable_words,
            words=words,
            start_ns=self.start_ns,
            duration_s=heard.duration_s,
            confidence=mean_confidence(words),
            end_reason=reason,
            audio_gap=self.audio_gap,
            recovered=heard.recovered,
            tokens=heard.tokens,
            agreed_words=agreed_words,
        )

    def _captured(self, word: Word) -> Word:
        """A word's times by the stamps, which jump where samples are missing."""
        return replace(word, start_s=self._capture_s(word.start_s), end_s=self._capture_s(word.end_s))

    def _capture_s(self, time_s: float) -> float:
        sample = self.start_sample + round(time_s * SAMPLE_RATE_HZ)
        return (self._timeline.stamp_ns(sample) - self.start_ns) / 1e9


def _says_something(text: str) -> bool:
    """A lone full stop is what noise sometimes brings; nobody said it."""
    return any(character.isalnum() for character in text)
