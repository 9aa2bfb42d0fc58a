"""Variants hear recordings in turns, a few at a time, so that all have the same moods of the machine."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from parakeet_asr.errors import EngineError
from parakeet_asr.records import FloatArray
from parakeet_asr_tools.line_process import LineProcess

ROUND_UTTERANCES = 25
MIN_ROUNDS = 4  # where there are as many recordings: one disturbed round should move no median


@dataclass(slots=True)
class Found:
    """What one variant heard and took; lists are in the order of the recordings."""

    texts: list[str]
    tokens: list[list[int]]
    compute_s: list[float]  # processor time
    loaded_mb: float
    resident_mb: float = 0.0  # after the last round
    peak_mb: float = 0.0
    rounds_s: list[float] = field(default_factory=list)  # processor time of each round
    encoded: list[FloatArray] = field(default_factory=list)  # of each round's last recording


def hear_in_turns(
    directories: Sequence[Path], recordings: Sequence[Path], on_round: Callable[[str], None] = lambda _: None
) -> list[Found]:
    """Let a process per model directory recognize all recordings.

    Raises:
        EngineError: a process failed; the message ends with what it wrote last.
    """
    count = len(recordings)
    rounds = min(count, max(MIN_ROUNDS, -(-count // ROUND_UTTERANCES)))
    with ExitStack() as stack:
        children = [stack.enter_context(_Child(directory)) for directory in directories]
        found = [
            Found([""] * count, [[] for _ in recordings], [0.0] * count, child.ask()["loaded_mb"])
            for child in children
        ]
        for number in range(rounds):
            rows = range(number, count, rounds)  # of all lengths and sets
            names = [str(recordings[row]) for row in rows]
            for child, one in zip(children, found, strict=True):
                _enter(one, rows, child.ask(names))
            on_round(f"round {number + 1} of {rounds}")
    return found


def _enter(found: Found, rows: Sequence[int], answer: dict[str, Any]) -> None:
    for row, text, ids, seconds in zip(
        rows, answer["texts"], answer["tokens"], answer["compute_s"], strict=True
    ):
        found.texts[row], found.tokens[row], found.compute_s[row] = text, ids, seconds
    found.rounds_s.append(sum(answer["compute_s"]))
    found.encoded.append(np.array(answer["encoded"], np.float32))
    found.resident_mb, found.peak_mb = answer["resident_mb"], answer["peak_mb"]


class _Child:
    """A process that serves one variant."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        module = "parakeet_asr_tools.studies.variant_child"
        self._process = LineProcess([sys.executable, "-m", module, str(directory)])

    def ask(self, recordings: Sequence[str] | None = None) -> dict[str, Any]:
        """What it hears; without recordings what it says when it is loaded."""
        line = self._process.ask(None if recordings is None else json.dumps(recordings))
        if not line:
            raise EngineError(f"{self._directory}: it could not be measured: {self._process.last_words()}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def __enter__(self) -> _Child:
        return self

    def __exit__(self, *details: object) -> None:
        self._process.__exit__(*details)
