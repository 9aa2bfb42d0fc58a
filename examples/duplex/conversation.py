"""The demo's dialogue: people talk to the bot and interrupt it; everything is printed as it happened."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from acoustics import rooms
from dialogue import Director, Played, Turn
from parakeet_asr.records import SAMPLE_RATE_HZ
from people import Line, read_lines
from score import Scored, Summary, summarize_turns
from stage import Stage
from theatre import open_theatre, score_turn


def converse(
    mode: str, room_seed: int, voice: str, bot: str, script: Sequence[tuple[str, str]], pause_s: float
) -> int:
    """Play the script, print the table; how many finals were the robot's own words.

    Args:
        mode: ``duplex.mode``.
        room_seed: of the room.
        voice: of the robot.
        bot: how it answers.
        script: who speaks: "alone" is somebody who begins, "over" who interrupts the answer.
        pause_s: from the beginning of the answer to who interrupts it.
    """
    print(f"duplex.mode: {mode}", flush=True)
    lines = {line.audio: line for line in read_lines()}
    (room,) = rooms(room_seed, 1)
    with open_theatre(room, {"duplex.mode": mode}, voice=voice, bot=bot) as theatre:
        director = Director(theatre.stage, theatre.check)
        played: list[Played] = []
        for kind, audio in script:
            if kind == "alone":
                played.append(_begin(director, theatre.stage, lines[audio]))
            else:
                played.append(_interrupt(director, theatre.stage, lines[audio], pause_s))
        director.until_quiet()
        ends = [turn.begin for turn in played[1:]] + [theatre.stage.position]
        turns = [
            score_turn(theatre.stage, Played(p.turn, p.begin, end, p.person))
            for p, end in zip(played, ends, strict=True)
        ]
    for time_s, who, text in sorted(row for turn in turns for row in _rows(turn)):
        print(f"{time_s:7.2f} s  {who:16} {text}")
    summary = summarize_turns(turns)
    _print_summary(summary)
    return summary.echo_finals


def _begin(director: Director, stage: Stage, line: Line) -> Played:
    """Somebody says something, and the robot begins to answer."""
    director.until_quiet()
    begin = stage.position
    person = director.person(line, begin + SAMPLE_RATE_HZ // 10)
    director.until_sample(person[1])
    return Played(Turn("alone", person=line), begin, stage.position, person=person)


def _interrupt(director: Director, stage: Stage, line: Line, pause_s: float) -> Played:
    """Somebody interrupts the answer as soon as it is there."""
    first = director.until_robot_speaks()
    person = director.person(line, first + round(pause_s * SAMPLE_RATE_HZ))
    director.until_sample(person[1])
    return Played(Turn("over", person=line), person[0], stage.position, person)


def _rows(turn: Scored) -> Iterator[tuple[float, str, str]]:
    """When, who, and what: lines of the table; what was heard stands where its sound ended."""
    assert turn.person_s is not None
    yield turn.person_s[0], "a person says", turn.person_text
    for begin_s, text in turn.robot_lines:
        if begin_s >= turn.begin_s:
            yield begin_s, "the robot says", text
    for final in turn.finals:
        note = "   <- nobody but the robot" if final in turn.false_finals else ""
        yield final.end_s, "heard", f"{final.text or '(nothing)'}{note}"
    for interruption in turn.interruptions:
        yield interruption.arrived_s, "barge-in", interruption.word or "(speech)"


def _print_summary(summary: Summary) -> None:
    p90 = summary.latency_p90_s
    rows = {
        "finals": f"{summary.finals}, of which {summary.false_finals} are false "
        f"({summary.echo_finals} of its own voice)",
        "missed words": f"{summary.over_missed} of {summary.over_words} said while the robot spoke; "
        f"{summary.wrong_words} of {summary.said_words} wrong otherwise",
        "interruptions": f"{summary.noticed} of {summary.interruptions} noticed, "
        f"{summary.false_interruptions} false"
        + (f"; latency from the person's onset: 90th percentile {p90:.2f} s" if p90 is not None else ""),
    }
    print()
    for name, text in rows.items():
        print(f"{name:15} {text}")
    print(flush=True)
