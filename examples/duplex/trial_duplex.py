#!/usr/bin/env python3
"""Dialogues of a robot and people in simulated rooms, with real processes: `make trial-duplex`.

For every mode and room: the recognizer, a text-to-speech node, and turns in which the robot and a person
speak one after the other or at the same time. What is counted is what score.py counts. The words that
people say while the robot is silent are counted a second time in the same rooms without a robot.

    python examples/duplex/trial_duplex.py [--mode MODE ...] [--rooms N] [--turns N] [--seed N] [--parallel N]
        [--speech FOLDER] [--set NAME] [--words WORDS] [--json FILE]

It takes as long as the dialogues do: 20 turns are about 2.5 minutes.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "examples"))

from acoustics import rooms  # noqa: E402
from dialogue import Director, Turn, write_turns  # noqa: E402
from parakeet_asr import load_model  # noqa: E402
from people import SAMPLES, Line, read_lines, understood  # noqa: E402
from score import Scored, Summary, summarize_turns  # noqa: E402
from theatre import open_theatre, score_turn  # noqa: E402
from voices import robot_sentences  # noqa: E402

SEED = 2026
"""Of rooms and dialogues. Whoever tunes something must do that with another one."""
MODES = ("gate", "filter", "full")
NO_ROBOT = "no robot"
LAST_FINAL_S = 2.0
AIMS = {"gate": 0.0, "filter": 0.01, "full": 0.01}  # echo finals per turn
LATENCY_AIM_S = 0.6  # 90th percentile, mode full
COLUMNS = (
    "Turns",
    "Echo finals",
    "Other false finals",
    "Word errors while the robot is silent",
    "Turns lost there",
    "Words missed while it speaks",
    "Interruptions noticed",
    "False ones",
    "Latency p50 / p90",
)


def main() -> int:
    """Play everything and print the table; 0 when the aims are reached."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--mode", nargs="+", default=[NO_ROBOT, *MODES], choices=[NO_ROBOT, "none", *MODES])
    parser.add_argument("--rooms", type=int, default=5)
    parser.add_argument("--turns", type=int, default=20)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--parallel", type=int, default=1, help="dialogues at a time; each takes half a core")
    parser.add_argument("--words", default="", help="barge_in.words")
    parser.add_argument("--speech", type=Path, default=SAMPLES, help="folder of people's utterances")
    parser.add_argument("--set", default="", help="only this set of the folder's manifest")
    parser.add_argument("--json", type=Path, help="where all turns are written to")
    arguments = parser.parse_args()
    jobs = [(mode, room) for mode in arguments.mode for room in range(arguments.rooms)]
    with load_model("demo") as model:
        people = understood(read_lines(arguments.speech, arguments.set), model)
    domains = random.sample(range(1, 102), len(jobs))
    with ThreadPoolExecutor(arguments.parallel) as pool:
        played = pool.map(
            lambda job, domain: _dialogue(job[0], job[1], domain, people, arguments), jobs, domains
        )
        turns = dict(zip(jobs, played, strict=True))
    if arguments.json:
        rows = [{"mode": m, "room": r, "turns": [asdict(t) for t in ts]} for (m, r), ts in turns.items()]
        arguments.json.write_text(json.dumps(rows, indent=1), encoding="utf-8")
    summaries = {
        mode: summarize_turns([t for (m, _), ts in turns.items() if m == mode for t in ts])
        for mode in arguments.mode
    }
    print(table(summaries))
    return 0 if reached(summaries) else 1


def _dialogue(
    mode: str, room: int, domain: int, people: Sequence[Line], arguments: argparse.Namespace
) -> list[Scored]:
    """One room with one mode."""
    turns = write_turns(arguments.seed + room, arguments.turns, robot_sentences(), people)
    if mode == NO_ROBOT:
        turns = [Turn("alone", person=t.person) for t in turns if t.kind not in ("over", "listen")]
    parameters = {"duplex.mode": "none" if mode == NO_ROBOT else mode}
    if arguments.words:
        parameters["barge_in.words"] = arguments.words
    with open_theatre(
        rooms(arguments.seed, arguments.rooms)[room], parameters, voice="recorded", domain=domain
    ) as theatre:
        director = Director(theatre.stage, theatre.check)
        played = [director.play(turn) for turn in turns]
        director.wait(LAST_FINAL_S)
        scored = [score_turn(theatre.stage, turn) for turn in played]
    print(f"{mode:9} room {room}: {summarize_turns(scored)}", flush=True)
    return scored


def table(summaries: Mapping[str, Summary]) -> str:
    """For docs/duplex.md."""
    lines = ["| Mode | " + " | ".join(COLUMNS) + " |", "|---" * (len(COLUMNS) + 1) + "|"]
    lines += [f"| {mode} | {' | '.join(_cells(summary))} |" for mode, summary in summaries.items()]
    return "\n".join(lines)


def _cells(s: Summary) -> tuple[str, ...]:
    latency = "-"
    if s.latencies_s:
        latency = f"{s.latencies_s[len(s.latencies_s) // 2]:.2f} / {s.latency_p90_s:.2f} s"
    return (
        str(s.turns),
        str(s.echo_finals),
        str(s.false_finals - s.echo_finals),
        f"{s.wrong_words} of {s.said_words}",
        str(s.lost_turns),
        f"{s.over_missed} of {s.over_words}",
        f"{s.noticed} of {s.interruptions}",
        str(s.false_interruptions),
        latency,
    )


def reached(summaries: Mapping[str, Summary]) -> bool:
    """Whether every mode has at most the echo finals that it may have, and barge-in is quick."""
    echoes = all(s.echo_finals <= AIMS[mode] * s.turns for mode, s in summaries.items() if mode in AIMS)
    p90 = summaries["full"].latency_p90_s if "full" in summaries else None
    return echoes and (p90 is None or p90 <= LATENCY_AIM_S)


if __name__ == "__main__":
    sys.exit(main())
