"""Phrases that matter to a robot, as text: how they are written, and what they weigh in decoding."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from parakeet_asr.core.phrase_match import PhraseAutomaton, WeightedTokens
from parakeet_asr.core.tokenizer import Tokenizer, pieces_to_text, starts_word
from parakeet_asr.errors import ConfigurationError

DEFAULT_SCORE = 5.0
"""Nats; docs/phrases.md shows what it was chosen by."""

FREE_CHARACTERS = 2
"""Characters at the start of a match that bring no score: too many words share them."""

RAMP_CHARACTERS = 3
"""Characters after those over which a match gains its score."""

_UNKNOWN = "<unk>"


@dataclass(frozen=True, slots=True)
class Phrase:
    """A name, a command or any other words to listen for."""

    text: str  # words between spaces, in any case
    score: float | None = None  # nats that its match is worth; None: those of the others


@dataclass(frozen=True, slots=True)
class SkippedPhrase:
    """A phrase that the model could never write, and why."""

    text: str
    reason: str


@dataclass(frozen=True, slots=True)
class CompiledPhrases:
    """What :func:`compile_phrases` made of a list. One bad phrase takes nothing from the others."""

    automaton: PhraseAutomaton | None  # None: no phrase is left
    skipped: tuple[SkippedPhrase, ...]


def compile_phrases(
    phrases: Iterable[str | Phrase],
    tokenizer: Tokenizer,
    score: float = DEFAULT_SCORE,
    anti_blank: float = 0.0,
) -> CompiledPhrases:
    """Make the automaton that a decoder follows.

    Every phrase is taken as written, in lower case, with its first letter a capital, and with a capital
    at every word, since the model writes cased text. It matches from the start of a word. It may end inside
    one: ``robots`` keeps what ``robot`` brought, for whether the word goes on is the model's to hear, and
    holding the score back until the word ends recovered no more names (docs/phrases.md).

    Args:
        phrases: texts, or texts with a score of their own; the order does not matter.
        tokenizer: of the model.
        score: nats that a match is worth once it has ``FREE_CHARACTERS + RAMP_CHARACTERS`` characters.
        anti_blank: nats by which a token that goes on with a phrase may be behind blank and still win.

    Returns:
        The automaton, and the phrases without a letter or digit or with characters that the model lacks.

    Raises:
        ConfigurationError: a score or ``anti_blank`` is not a number from 0 on.
    """
    _check("score", score)
    _check("anti_blank", anti_blank)
    weighted: list[WeightedTokens] = []
    skipped = []
    for entry in phrases:
        phrase = entry if isinstance(entry, Phrase) else Phrase(entry)
        own = score if phrase.score is None else phrase.score
        _check(f"score of {phrase.text!r}", own)
        written = spellings(phrase.text, tokenizer)
        if not written:
            skipped.append(SkippedPhrase(phrase.text, _why_not(phrase.text, tokenizer)))
        weighted += (weigh(tokens, tokenizer.pieces, own) for tokens in written)
    automaton = PhraseAutomaton(weighted, len(tokenizer.pieces), anti_blank) if weighted else None
    return CompiledPhrases(automaton, tuple(skipped))


def parse_phrases(lines: Iterable[str]) -> Iterator[Phrase]:
    """Read a list of phrases: one a line, with a score of its own after a tab, ``#`` begins a comment line.

    Raises:
        ConfigurationError: what stands behind a tab is no number; the message has the line's number.
    """
    for number, line in enumerate(lines, 1):
        text, tab, score = line.partition("\t")
        if not text.strip() or text.lstrip().startswith("#"):
            continue
        try:
            yield Phrase(text.strip(), float(score) if tab else None)
        except ValueError:
            raise ConfigurationError(
                f"phrases, line {number}: expected a score behind the tab, as in 'Ada Lovelace<tab>2.5', "
                f"found {score.strip()!r}"
            ) from None


def cased_variants(text: str) -> set[str]:
    """As written, in lower case, with the first letter a capital, with a capital at every word."""
    words = text.split()
    lower = [word.lower() for word in words]
    return {
        " ".join(variant)
        for variant in (
            words,
            lower,
            [*map(_capital, words[:1]), *words[1:]],
            [*map(_capital, lower[:1]), *lower[1:]],
            [_capital(word) for word in lower],
        )
    }


def weigh(tokens: Sequence[int], pieces: Sequence[str], score: float) -> WeightedTokens:
    """Weigh every token by the characters that it adds to the match.

    The first ``FREE_CHARACTERS`` bring nothing, the next ``RAMP_CHARACTERS`` equal parts of ``score``, the
    others nothing more: a long match must not drag the words behind it along. Counting characters makes a
    score mean the same for vocabularies of short and of long pieces.
    """
    texts = (pieces_to_text(pieces[t] for t in tokens[: i + 1]) for i in range(len(tokens)))
    collected = [score * _ramp(text) for text in texts]
    before = [0.0, *collected[:-1]]
    return [(token, now - then) for token, now, then in zip(tokens, collected, before, strict=True)]


def _ramp(text: str) -> float:
    return min(max(0, len(text) - FREE_CHARACTERS), RAMP_CHARACTERS) / RAMP_CHARACTERS


def _capital(word: str) -> str:
    return word[:1].upper() + word[1:]


def _check(name: str, value: float) -> None:
    if not (math.isfinite(value) and value >= 0):
        raise ConfigurationError(f"{name}: expected a number from 0 on, in nats, got {value}")


def spellings(text: str, tokenizer: Tokenizer) -> list[list[int]]:
    """Token ids of those cased variants that the model can write; none where there is no letter or digit."""
    if not any(character.isalnum() for character in text):
        return []
    written = [tokenizer.encode(variant) for variant in sorted(cased_variants(text))]
    return [tokens for tokens in written if _writable([tokenizer.pieces[token] for token in tokens])]


def _writable(pieces: Sequence[str]) -> bool:
    return _UNKNOWN not in pieces and starts_word(pieces[0])


def _why_not(text: str, tokenizer: Tokenizer) -> str:
    if not any(character.isalnum() for character in text):
        return "it has no letter or digit"
    characters = dict.fromkeys("".join(text.split()))
    unknown = [c for c in characters if tokenizer.pieces.index(_UNKNOWN) in tokenizer.encode(c)]
    if unknown:
        return f"the model cannot write {', '.join(map(repr, unknown))}"
    return "the model's tokenizer does not begin it with a word boundary"
