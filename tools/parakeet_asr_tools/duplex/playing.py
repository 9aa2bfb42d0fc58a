"""A conversation through a duplex session, in process and as fast as it goes, and what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from parakeet_asr.core.duplex.options import DuplexOptions
from parakeet_asr.core.session import SessionOptions
from parakeet_asr.loader import Model
from parakeet_asr.records import SAMPLE_RATE_HZ, AudioChunk, BargeIn, EndReason, Event, Transcript
from parakeet_asr_tools.benchmark.accuracy import words
from parakeet_asr_tools.duplex.conversation import Conversation, Turn

START_NS = 1_700_000_000_000_000_000
CHUNK_S = 0.05
_NEAR_S = 0.3  # a barge-in or a final so near to a person's speech belongs to it


@dataclass(frozen=True, slots=True)
class Told:
    """An event and the time up to which the microphone was heard when it came."""

    event: Event
    heard_s: float


@dataclass(slots=True)
class Outcome:
    """Counts over turns."""

    turns: int = 0
    echo_finals: int = 0
    false_finals: int = 0  # that hold words while no person spoke; echo included
    expected: int = 0  # turns with a person
    missed: int = 0  # of them without a final
    false_barge_ins: int = 0
    overlaps: int = 0
    barge_in_s: list[float] = field(default_factory=list)  # from onset to message
    answers: list[tuple[str, str]] = field(default_factory=list)  # said and heard, robot silent
    interruptions: list[tuple[str, str]] = field(default_factory=list)  # robot speaking

    def add(self, other: Outcome) -> None:
        """Sum up."""
        for name in (
            "turns",
            "echo_finals",
            "false_finals",
            "expected",
            "missed",
            "false_barge_ins",
            "overlaps",
        ):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for name in ("barge_in_s", "answers", "interruptions"):
            getattr(self, name).extend(getattr(other, name))


def play(
    model: Model, conversation: Conversation, options: DuplexOptions, *, robot: bool = True
) -> list[Told]:
    """Every event of a conversation.

    Args:
        model: recognizes.
        conversation: who says what.
        options: how the robot's voice is dealt with.
        robot: False: the same without the robot.
    """
    session = model.duplex_session(SessionOptions(partial_interval_s=0.0, chunk_s=60.0), options)
    sound = conversation.microphone if robot else conversation.without_robot
    waiting = sorted((t.handed_s, t) for t in conversation.turns) if robot else []
    ending: list[float] = []
    told: list[Told] = []
    size = round(CHUNK_S * SAMPLE_RATE_HZ)
    for start in range(0, len(sound), size):
        begin_s, end_s = start / SAMPLE_RATE_HZ, (start + size) / SAMPLE_RATE_HZ
        while waiting and waiting[0][0] < end_s:
            turn = waiting.pop(0)[1]
            session.timeline.began("say", _ns(turn.handed_s))
            session.said(turn.robot_text, _ns(turn.handed_s))
            ending.append(turn.silent_s)
        while ending and ending[0] < end_s:
            session.timeline.ended("say", _ns(ending.pop(0)))
        if ending:
            session.timeline.heartbeat("say", _ns(begin_s))
        if robot:
            session.push_playback(AudioChunk(conversation.handed[start : start + size], _ns(begin_s)))
        events = session.push(AudioChunk(sound[start : start + size], _ns(begin_s)))
        told += [Told(event, end_s) for event in events]
    told += [Told(event, len(sound) / SAMPLE_RATE_HZ) for event in session.finish(EndReason.STREAM)]
    return told


def score(conversation: Conversation, told: Sequence[Told]) -> Outcome:
    """Compare what came with what is true."""
    outcome = Outcome()
    finals = [one.event for one in told if isinstance(one.event, Transcript) and one.event.is_final]
    finals = [one for one in finals if words(one.text) and not one.echo]
    barge_ins = [one for one in told if isinstance(one.event, BargeIn)]
    for turn in conversation.turns:
        outcome.turns += 1
        own = [f for f in finals if turn.start_s - 0.3 <= _span_s(f)[0] < turn.stop_s + 1.2]
        persons = [f for f in own if _belongs(f, turn)]
        outcome.echo_finals += sum(is_echo(f.text, turn) for f in own)
        outcome.false_finals += len(own) - len(persons)
        told_now = [b for b in barge_ins if turn.start_s <= b.heard_s < turn.stop_s + 1.2]
        _count_barge_ins(outcome, turn, told_now)
        if turn.kind == "robot":
            continue
        outcome.expected += 1
        outcome.missed += not persons
        heard = " ".join(f.text for f in persons)
        pairs = outcome.answers if turn.kind == "alternate" else outcome.interruptions
        pairs.append((turn.person_text, heard))
    return outcome


def is_echo(text: str, turn: Turn) -> bool:
    """At least half of the words are, in their order, the robot's, and more than are the person's."""
    heard = words(text)
    robots = _common(heard, words(turn.robot_text))
    return 2 * robots >= len(heard) and robots > _common(heard, words(turn.person_text))


def _count_barge_ins(outcome: Outcome, turn: Turn, told: Sequence[Told]) -> None:
    right = [
        one
        for one in told
        if turn.kind == "overlap" and turn.onset_s - 0.1 <= one.heard_s <= turn.offset_s + _NEAR_S
    ]
    outcome.false_barge_ins += len(told) - len(right)
    if turn.kind == "overlap":
        outcome.overlaps += 1
        if right:
            outcome.barge_in_s.append(right[0].heard_s - turn.onset_s)


def _belongs(final: Transcript, turn: Turn) -> bool:
    if turn.kind == "robot":
        return False
    begin, end = _span_s(final)
    return begin < turn.offset_s + _NEAR_S and end > turn.onset_s - _NEAR_S


def _span_s(final: Transcript) -> tuple[float, float]:
    """From its first word to its last."""
    begin = (final.start_ns - START_NS) / 1e9
    return begin + final.words[0].start_s, begin + final.words[-1].end_s


def _common(one: Sequence[str], other: Sequence[str]) -> int:
    """Length of the longest common subsequence."""
    row = [0] * (len(other) + 1)
    for word in one:
        above = 0
        for j, candidate in enumerate(other, 1):
            above, row[j] = row[j], above + 1 if word == candidate else max(row[j], row[j - 1])
    return row[-1]


def _ns(seconds: float) -> int:
    return START_NS + round(seconds * SAMPLE_RATE_HZ) * 62_500
