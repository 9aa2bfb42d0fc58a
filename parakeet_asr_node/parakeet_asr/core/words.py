"""Tokens to words with times and confidence."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from itertools import zip_longest

from parakeet_asr.core.tokenizer import pieces_to_text, starts_word
from parakeet_asr.records import Token, Word


def build_words(tokens: Iterable[Token], pieces: Sequence[str], step_s: float) -> tuple[Word, ...]:
    """Group tokens into words.

    A word starts at a piece with the word-boundary mark. Its times are those of its tokens, start =
    step * step_s and end = (step + duration) * step_s. A token without a duration (RNNT, and TDT's 0)
    lasts one step, or up to the next token if that comes earlier: no two words overlap. Punctuation takes
    the end of the token before it, so that a comma after a pause does not stretch the word.

    Args:
        tokens: in the order of emission.
        pieces: the vocabulary.
        step_s: seconds per encoder step (0.08).
    """
    groups = list(_groups(tokens, pieces))
    next_steps = [group[0].start_step for group in groups[1:]]
    words = (_word(group, step, pieces, step_s) for group, step in zip_longest(groups, next_steps))
    return tuple(word for word in words if word.text)


def join_words(words: Iterable[Word]) -> str:
    """The text that the words make."""
    return " ".join(word.text for word in words)


def mean_confidence(words: Sequence[Word]) -> float:
    """Mean over words; 0 when there are none."""
    return sum(word.confidence for word in words) / len(words) if words else 0.0


def _groups(tokens: Iterable[Token], pieces: Sequence[str]) -> Iterator[list[Token]]:
    group: list[Token] = []
    for token in tokens:
        if group and starts_word(pieces[token.id]):
            yield group
            group = []
        group.append(token)
    if group:
        yield group


def _word(group: list[Token], next_step: int | None, pieces: Sequence[str], step_s: float) -> Word:
    spoken = [token for token in group if not _is_punctuation(pieces[token.id])] or group[:1]
    end_step = max(token.end_step for token in spoken)
    if next_step is not None:
        end_step = min(end_step, next_step)
    return Word(
        text=pieces_to_text(pieces[token.id] for token in group),
        start_s=spoken[0].start_step * step_s,
        end_s=end_step * step_s,
        confidence=sum(token.confidence for token in group) / len(group),
    )


def _is_punctuation(piece: str) -> bool:
    text = pieces_to_text([piece])
    return bool(text) and all(unicodedata.category(c).startswith("P") for c in text)
