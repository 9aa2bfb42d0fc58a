"""Who speaks when: turns of a robot and a person, and the director who has them played on a stage."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from parakeet_asr_msgs.action import Say

from parakeet_asr.records import SAMPLE_RATE_HZ
from people import Line
from stage import Stage

Kind = Literal["alone", "before", "after", "over", "listen"]
"""alone: only the person speaks. before: the person, and right after it the robot. after: the robot, and then
the person. over: the person speaks while the robot does. listen: only the robot speaks."""

QUIET_S = 1.6  # after the last word of a turn: longer than endpoint.silence_s and the time of a final
ANSWER_S = 10.0  # how long the robot may take until its loudspeaker sounds
KINDS: tuple[Kind, ...] = ("after", "over", "listen", "before", "over", "after", "listen", "alone")


@dataclass(frozen=True, slots=True)
class Turn:
    """One turn as it is planned."""

    kind: Kind
    robot: str = ""  # what the robot says
    person: Line | None = None
    pause_s: float = 0.5  # from who speaks first (its end; with "over" its beginning) to who speaks second


@dataclass(frozen=True, slots=True)
class Played:
    """One turn as it was; spans are [first, behind the last] sample of the stage."""

    turn: Turn
    begin: int
    end: int
    person: tuple[int, int] | None = None


def write_turns(seed: int, count: int, robot: Sequence[str], people: Sequence[Line]) -> list[Turn]:
    """A dialogue of ``count`` turns; the same seed gives the same one."""
    rng = np.random.default_rng(seed)
    sentences = [robot[i] for i in rng.permutation(len(robot))]
    lines = [people[i] for i in rng.permutation(len(people))]
    turns = []
    for i in range(count):
        kind = KINDS[i % len(KINDS)]
        low, high = {"over": (0.8, 1.6), "before": (0.0, 0.3)}.get(kind, (0.4, 0.9))
        turns.append(
            Turn(
                kind,
                "" if kind == "alone" else sentences[i % len(sentences)],
                None if kind == "listen" else lines[i % len(lines)],
                float(rng.uniform(low, high)),
            )
        )
    return turns


class Director:
    """Has turns played."""

    def __init__(self, stage: Stage, check: Callable[[], None]) -> None:
        """Direct.

        Args:
            stage: where; it is open, and somebody spins it.
            check: called again and again; raises when there is no sense in going on.
        """
        self._stage = stage
        self._check = check

    def play(self, turn: Turn) -> Played:
        """One turn, until all is quiet again.

        Raises:
            TimeoutError: the robot does not speak.
        """
        begin = self._stage.position
        spoken: tuple[int, int] | None = None
        if turn.person is not None and turn.kind in ("alone", "before"):
            spoken = self.person(turn.person, self._stage.position + SAMPLE_RATE_HZ // 10)
            self.until_sample(spoken[1])
        robot: tuple[int, int] | None = None
        if turn.robot:
            self.wait(turn.pause_s if turn.kind == "before" else 0.0)
            first, finished = self._robot(turn.robot)
            if turn.kind == "over" and turn.person is not None:
                spoken = self.person(turn.person, first + round(turn.pause_s * SAMPLE_RATE_HZ))
            self.until(lambda: finished() or self._stage.position > self._robot_end() + SAMPLE_RATE_HZ)
            robot = (first, self._stage.robot_spans[-1][1])
            self.until_sample(robot[1])
        if turn.kind == "after" and turn.person is not None and robot is not None:
            spoken = self.person(turn.person, robot[1] + round(turn.pause_s * SAMPLE_RATE_HZ))
        last = max(span[1] for span in (robot, spoken, (begin, begin)) if span is not None)
        self.until_sample(last + round(QUIET_S * SAMPLE_RATE_HZ))
        return Played(turn, begin, self._stage.position, spoken)

    def person(self, line: Line, start: int) -> tuple[int, int]:
        """Have a person speak from sample ``start`` on; the samples that it takes."""
        start = self._stage.person_says(line.samples, start)
        return start, start + len(line.samples)

    def until_sample(self, sample: int) -> None:
        """Until so much was recorded."""
        self.until(lambda: self._stage.position >= sample)

    def until_robot_speaks(self) -> int:
        """The sample at which the loudspeaker began to sound, as soon as it does.

        Raises:
            TimeoutError: it does not.
        """
        self.until(lambda: self._robot_end() > self._stage.position, ANSWER_S)
        return self._stage.robot_spans[-1][0]

    def until_quiet(self, quiet_s: float = 2.5, timeout_s: float = 40.0) -> None:
        """Until the robot was silent for a while; one that talks to itself is left alone after a time."""
        end = self._stage.position + round(timeout_s * SAMPLE_RATE_HZ)
        begin = self._stage.position
        pause = round(quiet_s * SAMPLE_RATE_HZ)

        def quiet() -> bool:
            now = self._stage.position
            return now >= end or now >= max(self._robot_end(), begin) + pause

        self.until(quiet)

    def _robot_end(self) -> int:
        spans = self._stage.robot_spans
        return spans[-1][1] if spans else 0

    def _robot(self, text: str) -> tuple[int, Callable[[], bool]]:
        """Have the robot speak: when its loudspeaker began, and what tells that its goal is over."""
        spans = len(self._stage.robot_spans)
        result: list[Any] = []

        def on_accepted(future: Any) -> None:
            future.result().get_result_async().add_done_callback(result.append)

        self._stage.say.send_goal_async(Say.Goal(text=text)).add_done_callback(on_accepted)
        self.until(lambda: bool(result) or len(self._stage.robot_spans) > spans, ANSWER_S)
        if len(self._stage.robot_spans) == spans:
            raise TimeoutError(f"the robot did not say {text!r}: {result[0].result().result.message}")
        return self._stage.robot_spans[-1][0], lambda: bool(result)

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.until_sample(self._stage.position + round(seconds * SAMPLE_RATE_HZ))

    def until(self, condition: Callable[[], bool], timeout_s: float = 60.0) -> None:
        """Until the condition holds.

        Raises:
            TimeoutError: it never does.
        """
        end_s = time.monotonic() + timeout_s
        while not condition():
            self._check()
            if time.monotonic() > end_s:
                raise TimeoutError(f"nothing happened on the stage for {timeout_s:g} s")
            time.sleep(0.01)
