"""Word error rates per set."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.table import Table

from parakeet_asr.core.edit_distance import edit_distance
from parakeet_asr_tools.benchmark.accuracy import words
from parakeet_asr_tools.console import console
from parakeet_asr_tools.train.manifest import Utterance


@dataclass(frozen=True, slots=True)
class Score:
    """How a set went."""

    utterances: int
    words: int
    errors: int

    @property
    def word_error_rate(self) -> float:
        """Errors over words, both of the whole set."""
        return self.errors / max(1, self.words)

    def __add__(self, other: Score) -> Score:
        return Score(self.utterances + other.utterances, self.words + other.words, self.errors + other.errors)


@dataclass(frozen=True, slots=True)
class Heard:
    """One utterance."""

    utterance: Utterance
    text: str

    @property
    def score(self) -> Score:
        """Lower case without punctuation."""
        reference, hypothesis = words(self.utterance.text), words(self.text)
        return Score(1, len(reference), edit_distance(reference, hypothesis))


def scores(
    heard: Sequence[Heard], name: Callable[[Heard], str] = lambda one: one.utterance.group
) -> Mapping[str, Score]:
    """By set."""
    found: dict[str, Score] = {}
    for one in heard:
        found[name(one)] = found.get(name(one), Score(0, 0, 0)) + one.score
    return found


def write_transcripts(path: Path, heard: Sequence[Heard]) -> None:
    """JSON lines of what was said and what was heard."""
    with path.open("w", encoding="utf-8") as out:
        for one in heard:
            row = {"audio": str(one.utterance.audio), "text": one.utterance.text, "heard": one.text}
            out.write(json.dumps(row, ensure_ascii=False) + "\n")


def print_scores(title: str, found: Mapping[str, Score]) -> None:
    """A table on stdout; the last row is all of it."""
    table = Table("set", "utterances", "words", "word error rate", title=title)
    for name, score in sorted(found.items()):
        table.add_row(name, *_cells(score))
    if len(found) > 1:
        table.add_section()
        table.add_row("all", *_cells(sum(found.values(), Score(0, 0, 0))))
    console.print(table)


def _cells(score: Score) -> tuple[str, str, str]:
    return str(score.utterances), str(score.words), f"{score.word_error_rate:.1%}"
