"""A robot that talks and people, with real processes in a simulated room: what the trial plays, in short."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from harness import TIMEOUT_S, State, next_domain

Open = Callable[..., Any]


@pytest.fixture
def theatre() -> Iterator[Open]:
    """Opens a theatre with parameters; closed at the end."""
    from contextlib import ExitStack

    from acoustics import rooms
    from theatre import open_theatre

    with ExitStack() as stack:

        def open_it(**parameters: Any) -> Any:
            given = {name.replace("__", "."): value for name, value in parameters.items()}
            return stack.enter_context(
                open_theatre(rooms(7, 1)[0], given, voice="recorded", domain=next_domain())
            )

        yield open_it


def play(theatre: Any, kinds: list[tuple[str, str | None]]) -> list[Any]:
    """Play turns and score them: kinds, and what the person says in each."""
    from dialogue import Director, Turn
    from people import read_lines
    from theatre import score_turn
    from voices import robot_sentences

    lines = {line.audio: line for line in read_lines()}
    director = Director(theatre.stage, theatre.check)
    sentences = random.Random(1).sample(robot_sentences(), len(kinds))
    # behind 2 s of the robot's voice the canceller knows the room, on a busy machine, too
    pauses = {"over": 2.0, "before": 0.1}
    played = [
        director.play(
            Turn(
                kind,
                "" if kind == "alone" else sentence,
                lines[audio] if audio else None,
                pauses.get(kind, 0.5),
            )
        )
        for (kind, audio), sentence in zip(kinds, sentences, strict=True)
    ]
    wanted = sum(kind in ("alone", "before", "after") for kind, _ in kinds)
    finals = theatre.stage.records.finals
    wait(theatre, lambda: len(finals) >= wanted, "the finals")
    return [score_turn(theatre.stage, turn) for turn in played]


def wait(theatre: Any, condition: Callable[[], Any], what: str) -> None:
    from dialogue import Director

    try:
        Director(theatre.stage, theatre.check).until(condition, TIMEOUT_S)
    except TimeoutError:
        pytest.fail(f"after {TIMEOUT_S} s still waiting for: {what}")


def states(theatre: Any) -> list[int]:
    return [state for _, state in theatre.stage.records.states]


def test_behind_the_gate_nothing_of_the_robot_is_heard_and_all_of_who_speaks_before_and_after(
    theatre: Open,
) -> None:
    opened = theatre(duplex__mode="gate")
    before, listen, after = play(
        opened, [("before", "synth-a-135.flac"), ("listen", None), ("after", "synth-a-086.flac")]
    )
    assert before.heard == before.person_text == "Go to room forty ninety."
    assert listen.heard == ""
    assert after.wrong_words == 0, after.heard
    assert not any(turn.false_finals for turn in (before, listen, after))
    assert states(opened).count(State.GATED) == 3


def test_the_gate_opens_when_the_process_that_speaks_is_killed(theatre: Open) -> None:
    """The goal that it was at will never end; the watchdog sees that nothing is played any more."""
    from parakeet_asr_msgs.action import Say

    from voices import robot_sentences

    opened = theatre(duplex__mode="gate", duplex__watchdog_s=1.5)
    stage = opened.stage
    stage.say.send_goal_async(Say.Goal(text=robot_sentences()[0]))
    wait(opened, lambda: stage.robot_spans and states(opened)[-1] == State.GATED, "speech")
    opened.processes.pop("the text-to-speech node").kill()
    wait(opened, lambda: states(opened)[-1] == State.LISTENING, "the watchdog")
    (alone,) = play(opened, [("alone", "synth-a-135.flac")])
    assert alone.heard == alone.person_text


def test_who_interrupts_is_noticed_and_the_robot_falls_silent(theatre: Open) -> None:
    """Mode full: the person is heard through the robot's voice, and the goal of the action is canceled."""
    pytest.importorskip("pyaec", reason="mode full needs the extra `duplex`")
    from voices import RecordedVoice

    opened = theatre(duplex__mode="full")
    (over,) = play(opened, [("over", "synth-a-049.flac")])  # in this room heard right without the robot
    assert over.latency_s is not None
    assert over.echo_finals == []
    assert over.missed_words <= 3, over.heard  # of 9
    (begin_s, end_s) = over.robot_spans_s[0]
    assert end_s - begin_s < len(RecordedVoice().speak(over.robot_text)) / 16_000 - 0.5
    (message,) = [message for _, message in opened.stage.records.barge_ins]
    assert message.confidence > 0.0
    assert message.header.frame_id == "microphone"
