"""What a stream is judged by: errors with their place in time, revisions of what was shown, percentiles."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from parakeet_asr_tools.benchmark.accuracy import words


@dataclass(frozen=True, slots=True)
class HeardWord:
    """One recognized word, seconds from the beginning of the recording."""

    text: str
    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class WordError:
    """One difference from the reference, and about when."""

    kind: Literal["insertion", "deletion", "substitution"]
    time_s: float


def spoken(heard: Iterable[HeardWord]) -> list[HeardWord]:
    """Words as they are compared: lower case, without punctuation; "re-enter" becomes two of one time."""
    return [HeardWord(part, one.start_s, one.end_s) for one in heard for part in words(one.text)]


def timed_errors(reference: Sequence[str], heard: Sequence[HeardWord]) -> list[WordError]:
    """Align by edit distance and say where in time the differences lie.

    An insertion or substitution lies in the middle of its word, a deletion in the middle of the gap
    between the words around it.
    """
    errors: list[WordError] = []
    table = _distances(reference, [one.text for one in heard])
    i, j = len(reference), len(heard)
    while i or j:
        same = i > 0 and j > 0 and reference[i - 1] == heard[j - 1].text
        if i and j and table[i, j] == table[i - 1, j - 1] + (not same):
            i, j = i - 1, j - 1
            if not same:
                errors.append(WordError("substitution", _middle(heard[j])))
        elif j and table[i, j] == table[i, j - 1] + 1:
            j -= 1
            errors.append(WordError("insertion", _middle(heard[j])))
        else:
            i -= 1
            errors.append(WordError("deletion", _gap(heard, j)))
    return errors[::-1]


def near(errors: Iterable[WordError], places_s: Sequence[float], within_s: float = 1.0) -> int:
    """Insertions and deletions no further than ``within_s`` from any of the places."""
    places = np.asarray(places_s)
    return sum(
        one.kind != "substitution" and bool(len(places)) and float(abs(places - one.time_s).min()) <= within_s
        for one in errors
    )


def overlaps(heard: Sequence[HeardWord], tolerance_s: float = 1e-6) -> int:
    """Words that begin before the one before them has ended; parts of one word do not count."""
    pairs = itertools.pairwise(heard)
    return sum(
        b.start_s < a.end_s - tolerance_s for a, b in pairs if a.start_s != b.start_s or a.end_s != b.end_s
    )


def revised_words(shown: Sequence[str], later: Sequence[str]) -> int:
    """How many of the words shown the next message changed; what it adds at the end is free."""
    return int(_distances(shown, later)[-1].min())


def revision_rate(messages: Sequence[Sequence[str]]) -> tuple[int, int]:
    """Revised and shown words of one utterance's messages, the final last.

    A word counts as shown when it first appears, so all that were shown are those of the final and
    those that were revised on the way ("unstable partial words" of Shangguan et al., arXiv 2006.01416).
    """
    revised = sum(revised_words(a, b) for a, b in itertools.pairwise(messages))
    return revised, revised + (len(messages[-1]) if messages else 0)


def percentile(values: Sequence[float], share: float) -> float:
    """Linear percentile, ``share`` in 0..100; not a number where there is nothing."""
    return float(np.percentile(values, share)) if len(values) else float("nan")


def _distances(reference: Sequence[str], heard: Sequence[str]) -> NDArray[np.int32]:
    """Edit distances of all prefixes, [len(reference) + 1, len(heard) + 1]."""
    numbers = {word: number for number, word in enumerate({*reference, *heard})}
    columns = np.array([numbers[word] for word in heard], np.int32)
    steps = np.arange(len(heard) + 1, dtype=np.int32)
    table = np.empty((len(reference) + 1, len(heard) + 1), np.int32)
    table[0] = steps
    for i, word in enumerate(reference, 1):
        row = table[i - 1] + 1
        np.minimum(row[1:], table[i - 1, :-1] + (columns != numbers[word]), out=row[1:])
        # an insertion costs 1 per word further right: a running minimum once that slope is taken off
        table[i] = np.minimum.accumulate(row - steps) + steps
    return table


def _middle(word: HeardWord) -> float:
    return (word.start_s + word.end_s) / 2


def _gap(heard: Sequence[HeardWord], index: int) -> float:
    before = heard[index - 1].end_s if index else 0.0
    after = heard[index].start_s if index < len(heard) else before
    return (before + after) / 2
