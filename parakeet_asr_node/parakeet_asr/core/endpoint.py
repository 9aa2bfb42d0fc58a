"""Where an utterance begins and ends, from the speech probability of 32 ms frames.

A pure function of probabilities and counts: it sees no samples, no clock, no decoder.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import Protocol

from parakeet_asr.records import SAMPLE_RATE_HZ, FloatArray


class VoiceDetector(Protocol):
    """Tells speech from everything else."""

    @property
    def frame_samples(self) -> int:
        """Samples per frame."""
        ...

    def probability(self, frame: FloatArray) -> float:
        """Probability that [frame_samples] float32 samples hold speech; carries state."""
        ...

    def reset(self) -> None:
        """Forget what was heard."""
        ...


@dataclass(frozen=True, slots=True)
class EndpointOptions:
    """When an utterance begins and ends."""

    speech_threshold: float = 0.5  # probability at which speech begins
    release: float = 0.15  # hysteresis: speech goes on down to speech_threshold - release
    min_speech_s: float = 0.2  # less than this is a click, not speech
    silence_s: float = 0.6  # this much without speech ends the utterance
    pre_roll_s: float = 0.3  # audio kept before the onset, so that soft consonants are not clipped
    post_roll_s: float = 0.3  # audio kept after the last speech; never more than silence_s
    blank_s: float = 4.0  # this much without a word ends it too, though the detector hears speech: noise
    max_utterance_s: float = 20.0  # a longer utterance is cut at its calmest place


class Change(Enum):
    """What a frame changed."""

    NOTHING = auto()
    BEGAN = auto()  # speech was confirmed: .start_sample is set
    ENDED = auto()  # silence was long enough: .end_sample is set


class Endpointer:
    """Hysteresis over frames. Sample positions count from the last :meth:`reset`."""

    def __init__(self, options: EndpointOptions, frame_samples: int) -> None:
        """Frames of ``frame_samples`` samples will come."""
        self.options = options
        self._frame = frame_samples
        self.speaking = False
        self.reset(0)

    def set_options(self, options: EndpointOptions) -> None:
        """Go on with other options; what could not become part of an utterance before still cannot."""
        if not self.speaking:
            self._floor = self.earliest_sample  # what lies before is forgotten: a longer pre-roll comes later
        self.options = options

    def reset(self, at_sample: int) -> None:
        """Go back to silence; the next frame begins at ``at_sample``."""
        self._position = at_sample
        self._floor = at_sample  # nothing before this belongs to a new utterance
        self._candidate: int | None = None  # start of speech that is not yet confirmed
        self._voiced = 0  # samples of speech in the candidate
        self._last_speech = at_sample  # end of the last frame with speech
        self.speaking = False
        self.start_sample = at_sample
        self.end_sample = at_sample

    @property
    def earliest_sample(self) -> int:
        """Samples before this one cannot become part of an utterance any more."""
        if self.speaking:
            return self.start_sample
        onset = self._position if self._candidate is None else self._candidate
        return max(self._floor, onset - _samples(self.options.pre_roll_s))

    def push(self, probability: float) -> Change:
        """Take the next frame's speech probability."""
        begin, self._position = self._position, self._position + self._frame
        bar = self.options.speech_threshold - (self.options.release if self.pending else 0.0)
        if probability >= bar:
            return self._heard(begin)
        return self._silent()

    @property
    def pending(self) -> bool:
        """Whether speech is going on or may just have begun."""
        return self.speaking or self._candidate is not None

    def pending_since(self, sample: int) -> bool:
        """Whether speech that is not confirmed yet may have begun before ``sample``."""
        return self._candidate is not None and self._candidate < sample

    def confirm(self) -> bool:
        """Take speech that may just have begun as speech; False when there is none."""
        if self.speaking or self._candidate is None:
            return False
        self._begin(self._candidate)
        return True

    def continue_from(self, sample: int) -> None:
        """A forced cut at ``sample``: what follows is a new utterance that is already going on."""
        self.start_sample = self._floor = sample

    def _heard(self, begin: int) -> Change:
        self._last_speech = self._position
        if self.speaking:
            return Change.NOTHING
        if self._candidate is None:
            self._candidate, self._voiced = begin, 0
        self._voiced += self._frame
        if self._voiced < _samples(self.options.min_speech_s):
            return Change.NOTHING
        self._begin(self._candidate)
        return Change.BEGAN

    def _begin(self, onset: int) -> None:
        self.start_sample = max(self._floor, onset - _samples(self.options.pre_roll_s))
        self.speaking, self._candidate = True, None

    def _silent(self) -> Change:
        quiet = self._position - self._last_speech
        if self.speaking and quiet >= _samples(self.options.silence_s):
            self.end_sample = min(self._position, self._last_speech + _samples(self.options.post_roll_s))
            self.speaking, self._floor = False, self.end_sample
            return Change.ENDED
        if self._candidate is not None and quiet >= _samples(self.options.min_speech_s):
            self._candidate = None
        return Change.NOTHING


def _samples(seconds: float) -> int:
    return round(seconds * SAMPLE_RATE_HZ)
