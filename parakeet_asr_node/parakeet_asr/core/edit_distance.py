"""How far two sequences are apart: of words for error rates, of token ids for agreement."""

from __future__ import annotations

from collections.abc import Hashable, Sequence


def edit_distance(reference: Sequence[Hashable], other: Sequence[Hashable]) -> int:
    """Levenshtein distance: insertions, deletions and substitutions count 1 each."""
    row = list(range(len(other) + 1))
    for i, expected in enumerate(reference, 1):
        diagonal, row[0] = row[0], i
        for j, heard in enumerate(other, 1):
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, diagonal + (expected != heard))
    return row[-1]
