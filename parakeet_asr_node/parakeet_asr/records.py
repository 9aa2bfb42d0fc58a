"""Value types that travel between the stages, with their units.

Words of the field, never mixed: a *sample* is 62.5 us (16 kHz), a *frame* is one 10 ms log-mel
column, a *step* is one 80 ms encoder output. Names carry their unit: ``_samples``, ``_frames``,
``_steps``, ``_s``, ``_ns``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

SAMPLE_RATE_HZ = 16_000
"""The only sample rate inside: sources resample to it."""

FloatArray = NDArray[np.float32]
IntArray = NDArray[np.int64]


class EndReason(IntEnum):
    """Why an utterance ended; the numbers are those of ``Transcript.msg``."""

    SILENCE = 1  # the speaker paused for endpoint.silence_s
    FORCED = 2  # endpoint.max_utterance_s was reached, cut at the calmest place
    FINALIZED = 3  # somebody asked (push-to-talk release)
    STREAM = 4  # the audio ended


@dataclass(frozen=True, slots=True)
class AudioChunk:
    """A piece of mono sound at 16 kHz."""

    samples: FloatArray  # [n] float32, -1..1
    stamp_ns: int  # capture time of samples[0], nanoseconds
    discontinuity: bool = False  # the source knows that samples are missing before this chunk


@dataclass(frozen=True, slots=True)
class Token:
    """One emitted token."""

    id: int
    start_step: int  # encoder step at which it was emitted, from the start of the audio
    duration_steps: int  # TDT duration; 0 for RNNT
    confidence: float  # 0..1, see core.decoding.max_probability_confidence

    @property
    def end_step(self) -> int:
        """Step behind it; a token without a duration lasts one step."""
        return self.start_step + max(1, self.duration_steps)


@dataclass(frozen=True, slots=True)
class Word:
    """One word and when it was said, in seconds from the start of the audio it belongs to."""

    text: str
    start_s: float
    end_s: float
    confidence: float  # 0..1


@dataclass(frozen=True, slots=True)
class Transcription:
    """What was heard in one piece of audio."""

    text: str
    tokens: tuple[Token, ...]
    words: tuple[Word, ...]
    duration_s: float
    recovered: bool = False  # the blank guard decoded a stretch again

    @property
    def token_ids(self) -> list[int]:
        """The emitted token ids, in order."""
        return [token.id for token in self.tokens]


@dataclass(frozen=True, slots=True)
class SpeechActivity:
    """Speech began or ended on the stream."""

    active: bool
    stamp_ns: int  # capture time at which it did


@dataclass(frozen=True, slots=True)
class Transcript:
    """One message of an utterance: partials with growing ``revision``, then exactly one final."""

    utterance_id: str  # deterministic: the same audio and stamps give the same id
    revision: int  # from 1, grows with every message of the utterance; numbers may be left out
    is_final: bool
    text: str
    stable_words: int  # leading words that will not change before the final
    words: tuple[Word, ...]  # times from start_ns
    start_ns: int  # capture time of the utterance's first sample
    duration_s: float  # audio of the utterance so far
    confidence: float  # mean over words; 0 when there are none
    end_reason: EndReason | None  # None while it goes on
    audio_gap: bool = False  # samples are missing inside
    recovered: bool = False  # the blank guard decoded a stretch again
    tokens: tuple[Token, ...] = field(default=())
    agreed_words: int = 0  # leading words on which the last looks agree: settled for a display, not for ever
    echo: bool = False  # this is the robot's own voice


@dataclass(frozen=True, slots=True)
class Gated:
    """While the robot speaks nothing is heard."""

    active: bool  # False: it is heard again
    stamp_ns: int  # capture time from which on


@dataclass(frozen=True, slots=True)
class BargeIn:
    """A person speaks while the robot does."""

    stamp_ns: int  # capture time of the person's onset
    utterance_id: str  # of the utterance that it belongs to; empty where none was open yet
    confidence: float  # 0..1
    matched_word: str = ""  # the word of the list that may interrupt; empty: by its sound


Event = SpeechActivity | Transcript | Gated | BargeIn


@dataclass(frozen=True, slots=True)
class Failure:
    """One input that could not be processed; the others went on."""

    name: str
    error: Exception


JsonObject = dict[str, Any]
AudioBatch = Sequence[FloatArray]
