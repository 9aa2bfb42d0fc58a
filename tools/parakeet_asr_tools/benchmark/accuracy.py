"""Word error rate and agreement of token ids, so that nobody is fast by being wrong."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from parakeet_asr.core.edit_distance import edit_distance

_NOT_A_WORD = re.compile(r"[^a-z0-9' ]+")


@dataclass(frozen=True, slots=True)
class Agreement:
    """Token ids against the reference's."""

    utterances: int
    equal_utterances: int
    reference_tokens: int
    token_errors: int  # edit distance

    @property
    def equal(self) -> float:
        """Share of utterances whose ids are all the same, 0..1."""
        return self.equal_utterances / max(1, self.utterances)

    @property
    def token_error_rate(self) -> float:
        """Edit distance over the number of reference tokens."""
        return self.token_errors / max(1, self.reference_tokens)


def words(text: str) -> list[str]:
    """Lower case without punctuation; hyphens and dashes part words."""
    return _NOT_A_WORD.sub(" ", text.lower().replace("\u2019", "'")).split()


def word_error_rate(references: Sequence[str], hypotheses: Sequence[str]) -> float:
    """Word errors over reference words, of all utterances together."""
    pairs = [(words(r), words(h)) for r, h in zip(references, hypotheses, strict=True)]
    return sum(edit_distance(r, h) for r, h in pairs) / max(1, sum(len(r) for r, _ in pairs))


def agreement(reference: Sequence[Sequence[int]], hypothesis: Sequence[Sequence[int]]) -> Agreement:
    """Compare token ids utterance by utterance."""
    pairs = list(zip(reference, hypothesis, strict=True))
    return Agreement(
        utterances=len(pairs),
        equal_utterances=sum(list(r) == list(h) for r, h in pairs),
        reference_tokens=sum(len(r) for r, _ in pairs),
        token_errors=sum(edit_distance(r, h) for r, h in pairs if list(r) != list(h)),
    )
