"""Whether a person interrupts the robot: by the sound at once, or by the words that may."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np

from parakeet_asr.core.duplex.echo_text import normal_words
from parakeet_asr.core.endpoint import VoiceDetector
from parakeet_asr.core.timeline import SAMPLE_NS
from parakeet_asr.records import SAMPLE_RATE_HZ, BargeIn, FloatArray, Word

_VOICE = 0.5  # probability of speech that counts
_NEAR = 0.5  # part of a piece in which the reference does not explain the sound
_FORGIVEN = 0.5  # a piece without voice takes back this part of what was collected by one with
_AGAIN_S = 2.0  # who interrupts once has interrupted: quiet before it can be said again


class AcousticBargeIn:
    """Collects pieces of sound that are a voice and not the robot's."""

    def __init__(self, detector: VoiceDetector) -> None:
        """Use a detector that nobody else uses."""
        self._detector = detector
        self.reset()

    def reset(self) -> None:
        """The robot stopped speaking, or begins."""
        self._detector.reset()
        self._sound: list[FloatArray] = []
        self._near: list[bool] = []
        self._collected = 0.0  # samples
        self._onset_ns = 0
        self._quiet = _AGAIN_S * SAMPLE_RATE_HZ
        self._told = False

    def push(self, sound: FloatArray, near: bool, stamp_ns: int, min_speech_s: float) -> BargeIn | None:
        """Take the next frame of what the canceller left."""
        self._sound.append(sound)
        self._near.append(near)
        size = self._detector.frame_samples
        joined = np.concatenate(self._sound)
        if len(joined) < size:
            return None
        piece, rest = joined[:size], joined[size:]
        part = float(np.mean(self._near))
        end_ns = stamp_ns + (len(sound) - len(rest)) * SAMPLE_NS
        self._sound, self._near = ([rest], [near]) if len(rest) else ([], [])
        voiced = self._detector.probability(piece) >= _VOICE and part >= _NEAR
        return self._collect(voiced, size, part, end_ns - size * SAMPLE_NS, min_speech_s)

    def _collect(
        self, voiced: bool, size: int, part: float, begin_ns: int, min_speech_s: float
    ) -> BargeIn | None:
        if not voiced:
            self._collected = max(0.0, self._collected - _FORGIVEN * size)
            self._quiet += size
            if self._quiet >= _AGAIN_S * SAMPLE_RATE_HZ:
                self._told = False
            return None
        self._quiet = 0.0
        if not self._collected:
            self._onset_ns = begin_ns
        self._collected += size
        if self._told or self._collected < min_speech_s * SAMPLE_RATE_HZ:
            return None
        self._told = True
        return BargeIn(self._onset_ns, "", round(part, 3))


def interrupting_word(
    words: Iterable[Word], start_ns: int, allowed: Iterable[str], spoke_at: Callable[[int], bool]
) -> tuple[Word, str] | None:
    """The first of a person's words that may interrupt and was said while the robot spoke.

    Args:
        words: of the person, with times from ``start_ns``.
        start_ns: capture time.
        allowed: words that may; several in one text must follow each other. None: every word may.
        spoke_at: whether the robot could be heard at a capture time.
    """
    said = [(word, part) for word in words for part in normal_words(word.text)]
    phrases = [normal_words(text) for text in allowed]
    for at, (word, _) in enumerate(said):
        if not spoke_at(start_ns + round(word.start_s * 1e9)):
            continue
        if not phrases:
            return word, ""
        for phrase in phrases:
            if phrase and [part for _, part in said[at : at + len(phrase)]] == phrase:
                return word, " ".join(phrase)
    return None
