"""One utterance: its place in the stream, its messages, and the recognizer's full-context pass over it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from parakeet_asr.core.recognizer import Recognizer
from parakeet_asr.core.sample_buffer import SampleBuffer
from parakeet_asr.core.timeline import Timeline
from parakeet_asr.core.words import mean_confidence
from parakeet_asr.records import SAMPLE_RATE_HZ, EndReason, Transcript, Transcription, Word

_CALM_SAMPLES = 320  # 20 ms: energy is compared over pieces of this size
_CALM_PIECES = 10  # smoothed over 0.2 s


class Utterance:
    """Speech from ``start_sample`` on; numbers its messages and turns sample counts into capture time."""

    def __init__(
        self, recognizer: Recognizer, buffer: SampleBuffer, timeline: Timeline, start_sample: int
    ) -> None:
        """Begin at ``start_sample`` of the buffer."""
        self._recognizer = recognizer
        self._buffer = buffer
        self._timeline = timeline
        self._revision = 0
        self._text = ""
        self.start_sample = start_sample
        self.start_ns = timeline.stamp_ns(start_sample)
        self.audio_gap = False

    @property
    def id(self) -> str:
        """Seconds of the capture time with six digits: the same audio gives the same id."""
        return f"{self.start_ns // 1_000_000_000}.{self.start_ns % 1_000_000_000 // 1000:06d}"

    def partial(self, end_sample: int) -> Transcript | None:
        """What was heard up to ``end_sample``, or None when that is nothing new."""
        heard = self._recognize(end_sample)
        if heard.text == self._text:
            return None
        return self._message(heard, None)

    def final(self, end_sample: int, reason: EndReason) -> Transcript | None:
        """The last message, or None when nothing was ever heard."""
        heard = self._recognize(end_sample)
        if not heard.text and not self._revision:
            return None
        return self._message(heard, reason)

    def calmest_sample(self, end_sample: int) -> int:
        """Where to cut: the middle of the quietest 0.2 s of the last third."""
        start = self.start_sample + (end_sample - self.start_sample) * 2 // 3
        samples = self._buffer.view(start, end_sample)
        pieces = samples[: len(samples) // _CALM_SAMPLES * _CALM_SAMPLES].reshape(-1, _CALM_SAMPLES)
        energy = np.square(pieces).sum(axis=1)
        smooth = np.convolve(energy, np.ones(_CALM_PIECES), "valid")
        return start + (int(smooth.argmin()) + _CALM_PIECES // 2) * _CALM_SAMPLES

    def _recognize(self, end_sample: int) -> Transcription:
        return self._recognizer.recognize([self._buffer.view(self.start_sample, end_sample)])[0]

    def _message(self, heard: Transcription, reason: EndReason | None) -> Transcript:
        self._revision += 1
        self._text = heard.text
        words = tuple(self._captured(word) for word in heard.words) if self.audio_gap else heard.words
        final = reason is not None
        return Transcript(
            utterance_id=self.id,
            revision=self._revision,
            is_final=final,
            text=heard.text,
            stable_words=len(words) if final else 0,
            words=words,
            start_ns=self.start_ns,
            duration_s=heard.duration_s,
            confidence=mean_confidence(words),
            end_reason=reason,
            audio_gap=self.audio_gap,
            tokens=heard.tokens,
        )

    def _captured(self, word: Word) -> Word:
        """A word's times by the stamps, which jump where samples are missing."""
        return replace(word, start_s=self._capture_s(word.start_s), end_s=self._capture_s(word.end_s))

    def _capture_s(self, time_s: float) -> float:
        sample = self.start_sample + round(time_s * SAMPLE_RATE_HZ)
        return (self._timeline.stamp_ns(sample) - self.start_ns) / 1e9
