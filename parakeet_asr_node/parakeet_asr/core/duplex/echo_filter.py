"""Transcripts without the robot's own words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from parakeet_asr.core.duplex.echo_text import Said, echo_words, normal_words
from parakeet_asr.core.duplex.evidence import NearEvidence
from parakeet_asr.core.duplex.options import EchoAction
from parakeet_asr.core.duplex.speaking import SpeakingTimeline
from parakeet_asr.core.words import join_words, mean_confidence
from parakeet_asr.records import Transcript, Word

_REMEMBERED_NS = 60_000_000_000  # a text may be on its way for so long
_SOUNDS_LIKE_ROBOT = 0.15  # part of a word's time with a person, below which it is the robot's
_SOUNDS_LIKE_PERSON = 0.5
_DOUBTFUL = 0.5  # confidence of a word of which the sound does not say either that a person spoke it
_SHORTEST_NS = 100_000_000  # a word behind the beginning of speech


@dataclass(slots=True)
class _Shown:
    """What was published of an utterance."""

    published: bool = False
    text: str = ""
    stable_words: int = 0
    agreed_words: int = 0

    def says(self, transcript: Transcript) -> bool:
        """Whether that is what was published last."""
        return (self.text, self.stable_words, self.agreed_words) == (
            transcript.text,
            transcript.stable_words,
            transcript.agreed_words,
        )


class EchoFilter:
    """Follows one stream of transcripts; not thread safe."""

    def __init__(self, timeline: SpeakingTimeline, evidence: NearEvidence) -> None:
        """Ask ``timeline`` when the robot spoke, and ``evidence`` whether a person did."""
        self._timeline = timeline
        self._evidence = evidence
        self._said: list[Said] = []
        self._shown: dict[str, _Shown] = {}
        self.action: EchoAction = "drop"
        self.window_s = 0.5
        self.pre_roll_s = 0.3  # an utterance begins so long before its speech
        self.dropped = 0  # utterances
        self.marked = 0

    def said(self, text: str, stamp_ns: int) -> None:
        """The robot was asked to say ``text``."""
        self._said.append(Said(tuple(normal_words(text)), stamp_ns))

    @property
    def knows_text(self) -> bool:
        """Whether anybody told what the robot says."""
        return bool(self._said)

    def forget_before(self, stamp_ns: int) -> None:
        """Texts from before ``stamp_ns`` cannot be heard any more."""
        self._said = [one for one in self._said if one.stamp_ns >= stamp_ns]

    def judge(self, transcript: Transcript) -> Transcript | None:
        """What is published of it: all, a person's part, or nothing."""
        echo = self._echo(transcript)
        shown = self._shown.setdefault(transcript.utterance_id, _Shown())
        if any(echo):
            kept = _without(transcript, echo)
            if not kept.words:
                return self._only_echo(transcript, kept, shown)
            if not kept.is_final and shown.says(kept):
                return None  # only the robot's words are new
            return self._publish(kept, shown)
        return self._publish(transcript, shown)

    def _only_echo(self, transcript: Transcript, empty: Transcript, shown: _Shown) -> Transcript | None:
        if self.action == "mark":
            self.marked += transcript.is_final
            return self._publish(replace(transcript, echo=True), shown)
        self.dropped += transcript.is_final
        if transcript.is_final and shown.published:  # whoever saw a beginning waits for an end
            return self._publish(replace(empty, echo=True), shown)
        if transcript.is_final:
            del self._shown[transcript.utterance_id]
        return None

    def _publish(self, transcript: Transcript, shown: _Shown) -> Transcript:
        shown.published = True
        shown.text = transcript.text
        shown.stable_words, shown.agreed_words = transcript.stable_words, transcript.agreed_words
        if transcript.is_final:
            self._shown.pop(transcript.utterance_id, None)
        return transcript

    # --- whose words --------------------------------------------------------------------------------

    def _echo(self, transcript: Transcript) -> list[bool]:
        """Which words are the robot's."""
        words = transcript.words
        times = [self._times_ns(transcript, word) for word in words]
        possible = [self._robot_heard(*time) for time in times]
        if not any(possible):
            return [False] * len(words)
        near = [self._evidence.near_fraction(*time) for time in times]
        echo = self._by_text(words, possible, times[-1][1])
        for i, part in enumerate(near):
            least = _SOUNDS_LIKE_ROBOT if words[i].confidence >= _DOUBTFUL else _SOUNDS_LIKE_PERSON
            echo[i] |= possible[i] and part is not None and part < least
        _fill(echo, possible, near)
        return echo

    def _times_ns(self, transcript: Transcript, word: Word) -> tuple[int, int]:
        """When it was said; a model that writes the first word into the pre-roll does not hear the future."""
        start_ns = transcript.start_ns + round(word.start_s * 1e9)
        stop_ns = transcript.start_ns + round(word.end_s * 1e9)
        speech_ns = transcript.start_ns + round(self.pre_roll_s * 1e9)
        return max(start_ns, min(speech_ns, stop_ns)), max(stop_ns, speech_ns + _SHORTEST_NS)

    def _robot_heard(self, start_ns: int, stop_ns: int) -> bool:
        return bool(self._timeline.intervals(start_ns - round(self.window_s * 1e9), stop_ns))

    def _by_text(self, words: Sequence[Word], possible: Sequence[bool], until_ns: int) -> list[bool]:
        said = [
            word
            for one in self._said
            if until_ns - _REMEMBERED_NS <= one.stamp_ns <= until_ns
            for word in one.words
        ]
        parts = [(i, part) for i, word in enumerate(words) if possible[i] for part in normal_words(word.text)]
        marks = echo_words([part for _, part in parts], said)
        echo = [False] * len(words)
        for (i, _), mark in zip(parts, marks, strict=True):
            echo[i] |= mark
        return echo


def _fill(echo: list[bool], possible: Sequence[bool], near: Sequence[float | None]) -> None:
    """A word heard wrong is the robot's, too: between two of its words, or at an end by its sound."""
    doubtful = [
        maybe and (part is None or part < _SOUNDS_LIKE_PERSON)
        for maybe, part in zip(possible, near, strict=True)
    ]
    marked = [*echo]
    for i, one in enumerate(marked):
        if one or not doubtful[i]:
            continue
        before = i > 0 and marked[i - 1]
        after = i + 1 < len(marked) and marked[i + 1]
        edge = (i == 0 or i + 1 == len(marked)) and near[i] is not None
        echo[i] = (before and after) or (edge and (before or after))


def _without(transcript: Transcript, echo: Sequence[bool]) -> Transcript:
    """The transcript without some of its words."""
    kept = [i for i, one in enumerate(echo) if not one]
    words = tuple(transcript.words[i] for i in kept)
    return replace(
        transcript,
        words=words,
        text=join_words(words),
        stable_words=sum(i < transcript.stable_words for i in kept),
        agreed_words=sum(i < transcript.agreed_words for i in kept),
        confidence=mean_confidence(words),
        tokens=(),  # those of single words cannot be told apart any more
    )
