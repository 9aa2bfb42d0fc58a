"""A robot and a person in simulated rooms: echoes, misses, false barge-ins, and how soon one interrupts."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence

import numpy as np

from parakeet_asr.core.duplex.options import MODES, DuplexOptions
from parakeet_asr.loader import load_model
from parakeet_asr_tools.benchmark.accuracy import word_error_rate
from parakeet_asr_tools.duplex.conversation import KINDS, commands, converse
from parakeet_asr_tools.duplex.playing import Outcome, play, score
from parakeet_asr_tools.duplex.room import ROOMS

NAME = "duplex"
HELP = "echo finals, missed words, false barge-ins and their latency in five simulated rooms, by mode"
HEADER = (
    "mode",
    "room",
    "turns",
    "echo finals",
    "other finals without a person",
    "missed",
    "WER of answers, %",
    "without the robot, %",
    "WER of interruptions, %",
    "barge-ins",
    "p50, s",
    "p90, s",
    "false",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this study."""
    parser.add_argument("--modes", default="gate,filter,full", help=f"some of {', '.join(MODES)}")
    parser.add_argument("--turns", type=int, default=len(KINDS), help=f"in each room ({len(KINDS)})")
    parser.add_argument("--seed", type=int, default=101, help="tuning was done on 1 to 9 (101)")
    parser.add_argument("--rooms", default="", help="their numbers, from 0 (all)")


def run(arguments: argparse.Namespace) -> Iterator[Sequence[str]]:
    """A row per mode and room, and one for all rooms of a mode."""
    numbers = [int(n) for n in arguments.rooms.split(",") if n] or list(range(len(ROOMS)))
    people = commands()
    yield HEADER
    with load_model("demo", threads=1) as model:
        talks = [converse(ROOMS[n], arguments.seed + n, people, arguments.turns) for n in numbers]
        alone = [score(talk, play(model, talk, DuplexOptions(mode="off"), robot=False)) for talk in talks]
        for mode in arguments.modes.split(","):
            total, total_alone = Outcome(), Outcome()
            for talk, reference in zip(talks, alone, strict=True):
                outcome = score(talk, play(model, talk, DuplexOptions(mode=mode)))
                yield row(mode, talk.room.name, outcome, reference)
                total.add(outcome)
                total_alone.add(reference)
            yield row(mode, "all", total, total_alone)


def row(mode: str, room: str, outcome: Outcome, alone: Outcome) -> tuple[str, ...]:
    """One line of the table."""
    latencies = outcome.barge_in_s
    return (
        mode,
        room,
        str(outcome.turns),
        str(outcome.echo_finals),
        str(outcome.false_finals - outcome.echo_finals),
        f"{outcome.missed} of {outcome.expected}",
        _wer(outcome.answers),
        _wer(alone.answers),
        _wer(outcome.interruptions),
        f"{len(latencies)} of {outcome.overlaps}",
        f"{np.percentile(latencies, 50):.2f}" if latencies else "",
        f"{np.percentile(latencies, 90):.2f}" if latencies else "",
        str(outcome.false_barge_ins),
    )


def _wer(pairs: Sequence[tuple[str, str]]) -> str:
    if not pairs:
        return ""
    return f"{100 * word_error_rate([said for said, _ in pairs], [heard for _, heard in pairs]):.1f}"
