"""Words of an open utterance on which several looks in a row agree."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from itertools import takewhile


class LocalAgreement:
    """LocalAgreement-n: the longest common beginning of the last n hypotheses.

    Liu, Spanakis and Niehues, "Low-Latency Sequence-to-Sequence Speech Recognition and Translation by
    Partial Hypothesis Selection", arXiv 2005.11185. There what is agreed on is kept for good; here it is for
    a display only, so it may be taken back, and no decoder knows of it.
    """

    def __init__(self, looks: int) -> None:
        """So many looks must agree; with 0 no words ever are agreed on."""
        self._looks = looks
        self._recent: deque[tuple[str, ...]] = deque(maxlen=looks)

    def push(self, words: Sequence[str]) -> None:
        """Take the words of the next look, from the utterance's beginning."""
        self._recent.append(tuple(words))

    @property
    def words(self) -> int:
        """How many leading words the last looks agree on."""
        if not self._looks or len(self._recent) < self._looks:
            return 0
        columns = zip(*self._recent, strict=False)
        return sum(1 for _ in takewhile(lambda column: len(set(column)) == 1, columns))
