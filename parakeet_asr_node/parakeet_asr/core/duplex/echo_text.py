"""What the robot was asked to say against what was heard: which words are its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

_ALIKE = 0.55  # similarity from which two words may be the same
_MISMATCH = -0.45
_GAP = -0.3
_LEAST_SCORE = 1.8  # two longer words that match well, or more that match less
_WHOLE_WORD_LETTERS = 4  # shorter words are in every sentence and prove less
_MOST_EDITS = 0.42  # per letter, of a whole stretch that a recognizer heard badly; chance is above 0.55
_LEAST_LETTERS = 10  # below it letters match by chance


@dataclass(frozen=True, slots=True)
class Said:
    """One text for the robot's voice."""

    words: tuple[str, ...]
    stamp_ns: int


def normal_words(text: str) -> list[str]:
    """Lower case, letters and digits only."""
    kept = "".join(c.lower() if c.isalnum() or c == "'" else " " for c in text)
    return [word for word in kept.replace("'", "").split() if word]


def echo_words(heard: Sequence[str], said: Sequence[str]) -> list[bool]:
    """Which of the words that were heard are said ones: runs of them, in the order in which they were said.

    A single word that also the robot said is nobody's proof and stays.

    Args:
        heard: normal words.
        said: normal words.
    """
    echo = [False] * len(heard)
    _mark(heard, said, 0, len(heard), echo)
    if not all(echo):
        rest = [i for i, one in enumerate(echo) if not one]
        for start, stop in _runs(rest):
            letters = "".join(heard[start:stop])
            if len(letters) >= _LEAST_LETTERS and letter_edits(letters, "".join(said)) <= _MOST_EDITS:
                echo[start:stop] = [True] * (stop - start)
    return echo


def similarity(one: str, other: str) -> float:
    """1 for the same word, 0 for nothing in common: 1 - edits / length of the longer."""
    longer = max(len(one), len(other))
    if abs(len(one) - len(other)) > (1 - _ALIKE) * longer:
        return 0.0
    return 1.0 - _edits(one, other, free_ends=False) / longer if longer else 0.0


def letter_edits(heard: str, said: str) -> float:
    """Edits per letter of ``heard`` to make it the best fitting part of ``said``."""
    return _edits(heard, said, free_ends=True) / max(1, len(heard))


def _mark(heard: Sequence[str], said: Sequence[str], start: int, stop: int, echo: list[bool]) -> None:
    """Mark the best local alignment within heard[start:stop], then what lies on both sides of it."""
    if start >= stop or not said:
        return
    best, where = _local_alignment(heard[start:stop], said)
    if best < _LEAST_SCORE:
        return
    first, last = start + where[0], start + where[1]
    echo[first:last] = [True] * (last - first)
    _mark(heard, said, start, first, echo)
    _mark(heard, said, last, stop, echo)


def _local_alignment(heard: Sequence[str], said: Sequence[str]) -> tuple[float, tuple[int, int]]:
    """Smith and Waterman (1981) over words: the best score, and the stretch of ``heard`` that has it."""
    previous = [(0.0, 0)] * (len(said) + 1)  # score and where the stretch began
    best, where = 0.0, (0, 0)
    for i, word in enumerate(heard, 1):
        row = [(0.0, i)]
        weight = min(1.0, len(word) / _WHOLE_WORD_LETTERS)
        for j, other in enumerate(said, 1):
            alike = similarity(word, other)
            gain = alike * weight if alike >= _ALIKE else _MISMATCH
            score, begin = previous[j - 1]
            options = [
                (score + gain, begin if score > 0 else i - 1),
                (previous[j][0] + _GAP, previous[j][1]),
                (row[j - 1][0] + _GAP, row[j - 1][1]),
            ]
            score, begin = max(options)
            row.append((score, begin) if score > 0 else (0.0, i))
            if score > best:
                best, where = score, (begin, i)
        previous = row
    return best, where


def _edits(one: str, other: str, *, free_ends: bool) -> int:
    """Levenshtein's distance; with ``free_ends`` to the nearest part of ``other``."""
    row = [0] * (len(other) + 1) if free_ends else list(range(len(other) + 1))
    for i, a in enumerate(one, 1):
        above, row[0] = row[0], i
        for j, b in enumerate(other, 1):
            above, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, above + (a != b))
    return min(row) if free_ends else row[-1]


def _runs(positions: Sequence[int]) -> list[tuple[int, int]]:
    """Neighbours in ascending positions as [start, stop)."""
    if not positions:
        return []
    breaks = [i for i, (a, b) in enumerate(pairwise(positions), 1) if b != a + 1]
    edges = [0, *breaks, len(positions)]
    return [(positions[a], positions[b - 1] + 1) for a, b in pairwise(edges)]
