"""What was said against what was heard, in numbers; knows no ROS."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from parakeet_asr.core.edit_distance import edit_distance
from report import percentile, words

ECHO_SHARE = 0.5  # a final of which at least so much is what the robot said is an echo
MEMORY_S = 15.0  # what the robot began to say so long before a final is no longer in the room
OVERLAP_S = 0.1  # less is no speaking at the same time
LATE_S = 1.0  # a barge-in that comes so long after the person ended is for somebody else


@dataclass(frozen=True, slots=True)
class Final:
    """What the recognizer gave out; times in seconds on the clock of the stage."""

    text: str
    begin_s: float
    end_s: float
    echo: bool = False  # marked as the robot's own words


@dataclass(frozen=True, slots=True)
class Interruption:
    """A message of barge-in."""

    onset_s: float  # as the message says
    arrived_s: float
    word: str = ""


@dataclass(slots=True)
class Scored:
    """One turn: what was said, and what became of it."""

    kind: str
    begin_s: float
    end_s: float
    robot_lines: list[tuple[float, str]] = field(
        default_factory=list
    )  # when it began, what it was asked to say
    robot_spans_s: list[tuple[float, float]] = field(default_factory=list)  # when its loudspeaker sounded
    person_text: str = ""
    person_s: tuple[float, float] | None = None
    finals: list[Final] = field(default_factory=list)
    interruptions: list[Interruption] = field(default_factory=list)

    @property
    def robot_text(self) -> str:
        """What the robot said in this turn."""
        return " ".join(text for begin_s, text in self.robot_lines if begin_s >= self.begin_s)

    @property
    def heard(self) -> str:
        """What was taken for a person's words."""
        return " ".join(final.text for final in self.finals if not final.echo and words(final.text))

    @property
    def echo_finals(self) -> list[Final]:
        """Finals that are, at least by half, what the robot said (and not rather what the person said)."""
        return [f for f in self.finals if not f.echo and self._is_echo(f)]

    @property
    def false_finals(self) -> list[Final]:
        """Finals with words while no person spoke, and echoes."""
        echoes = self.echo_finals
        return [
            f for f in self.finals if words(f.text) and not f.echo and (f in echoes or not self._of_person(f))
        ]

    @property
    def missed_words(self) -> int:
        """Words of the person that are not in what was heard, in their order."""
        said = words(self.person_text)
        return len(said) - matched(said, words(self.heard))

    @property
    def wrong_words(self) -> int:
        """Word errors of the person's words."""
        return edit_distance(words(self.person_text), words(self.heard)) if self.person_text else 0

    @property
    def overlap_s(self) -> float | None:
        """When a person and the robot began to speak at the same time; None when they did not."""
        if self.person_s is None:
            return None
        first, last = self.person_s
        both = [max(first, a) for a, b in self.robot_spans_s if min(last, b) - max(first, a) >= OVERLAP_S]
        return min(both, default=None)

    @property
    def interrupts(self) -> bool:
        """Whether a person spoke over the robot."""
        return self.overlap_s is not None

    @property
    def latency_s(self) -> float | None:
        """From when both spoke (mostly the person's onset) to the message; None without a message."""
        overlap_s = self.overlap_s
        if overlap_s is None:
            return None
        came = [i.arrived_s for i in self.interruptions if self._for_person(i)]
        return min(came) - overlap_s if came else None

    @property
    def false_interruptions(self) -> int:
        """Messages that no person who spoke over the robot caused."""
        return sum(not (self.interrupts and self._for_person(i)) for i in self.interruptions)

    def _is_echo(self, final: Final) -> bool:
        said = " ".join(
            text for begin_s, text in self.robot_lines if final.begin_s - MEMORY_S < begin_s < final.end_s
        )
        return is_echo(final.text, said, self.person_text)

    def _of_person(self, final: Final) -> bool:
        return self.person_s is not None and (
            final.begin_s < self.person_s[1] and final.end_s > self.person_s[0]
        )

    def _for_person(self, interruption: Interruption) -> bool:
        assert self.person_s is not None
        return self.person_s[0] <= interruption.arrived_s <= self.person_s[1] + LATE_S


def matched(said: Sequence[str], heard: Sequence[str]) -> int:
    """Length of the longest common subsequence."""
    row = [0] * (len(heard) + 1)
    for word in said:
        diagonal = 0
        for j, other in enumerate(heard, 1):
            diagonal, row[j] = row[j], max(row[j], row[j - 1], diagonal + (word == other))
    return row[-1]


def is_echo(heard: str, robot: str, person: str = "") -> bool:
    """Whether at least half of the words are the robot's, aligned, and more than are a person's."""
    tokens = words(heard)
    of_robot = matched(words(robot), tokens)
    return bool(tokens) and of_robot >= ECHO_SHARE * len(tokens) and of_robot > matched(words(person), tokens)


@dataclass(frozen=True, slots=True)
class Summary:
    """The numbers of several turns."""

    turns: int
    finals: int
    echo_finals: int
    false_finals: int
    said_words: int  # by people while the robot was silent
    wrong_words: int  # of those
    lost_turns: int  # people of whom nothing was heard although the robot was silent
    over_words: int  # by people while the robot spoke
    over_missed: int  # of those
    interruptions: int  # people who spoke over the robot
    noticed: int  # of those
    false_interruptions: int
    latencies_s: tuple[float, ...]

    @property
    def latency_p90_s(self) -> float | None:
        """The 90th percentile."""
        return percentile(self.latencies_s, 90) if self.latencies_s else None


def summarize_turns(turns: Sequence[Scored]) -> Summary:
    """Count."""
    apart = [t for t in turns if t.person_text and not t.interrupts]
    over = [t for t in turns if t.interrupts]
    latencies = tuple(sorted(t.latency_s for t in over if t.latency_s is not None))
    return Summary(
        turns=len(turns),
        finals=sum(len(t.finals) for t in turns),
        echo_finals=sum(len(t.echo_finals) for t in turns),
        false_finals=sum(len(t.false_finals) for t in turns),
        said_words=sum(len(words(t.person_text)) for t in apart),
        wrong_words=sum(t.wrong_words for t in apart),
        lost_turns=sum(t.missed_words == len(words(t.person_text)) for t in apart),
        over_words=sum(len(words(t.person_text)) for t in over),
        over_missed=sum(t.missed_words for t in over),
        interruptions=len(over),
        noticed=len(latencies),
        false_interruptions=sum(t.false_interruptions for t in turns),
        latencies_s=latencies,
    )
