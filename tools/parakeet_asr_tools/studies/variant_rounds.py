"""Variants hear recordings in turns, a few at a time, so that all have the same moods of the machine."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from parakeet_asr.errors import EngineError

ROUND_UTTERANCES = 25


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


def hear_in_turns(
    directories: Sequence[Path], recordings: Sequence[Path], on_round: Callable[[str], None] = lambda _: None
) -> list[Found]:
    """Let a process per model directory recognize all recordings.

    Raises:
        EngineError: a process failed; the message ends with what it wrote last.
    """
    count = len(recordings)
    rounds = -(-count // ROUND_UTTERANCES)
    with ExitStack() as stack:
        children = [stack.enter_context(_Child(directory)) for directory in directories]
        found = [
            Found([""] * count, [[] for _ in recordings], [0.0] * count, child.answer()["loaded_mb"])
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
    found.resident_mb, found.peak_mb = answer["resident_mb"], answer["peak_mb"]


class _Child:
    """A process that serves one variant."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._log = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")  # noqa: SIM115  # closed below
        self._process = subprocess.Popen(
            [sys.executable, "-m", "parakeet_asr_tools.studies.variant_child", str(directory)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
        )

    def ask(self, recordings: Sequence[str]) -> dict[str, Any]:
        """What it hears."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(recordings) + "\n")
        self._process.stdin.flush()
        return self.answer()

    def answer(self) -> dict[str, Any]:
        """Its next line."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            self._process.wait()
            self._log.seek(0)
            raise EngineError(
                f"{self._directory}: it could not be measured: {self._log.read().strip()[-800:]}"
            )
        answer: dict[str, Any] = json.loads(line)
        return answer

    def __enter__(self) -> _Child:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()
        self._log.close()
