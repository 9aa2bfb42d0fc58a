"""Construct a SentencePiece model of an exact size, without any text to train on."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

from sentencepiece import sentencepiece_model_pb2 as model_pb2

WORD_MARK = "\u2581"
UNKNOWN = "<unk>"
_LETTERS = "etaoinshrdlucmfwgypbvkxjqz"
_ONSETS = (
    "",
    *"bcdfghjklmnpqrstvwyz",
    "th",
    "st",
    "ch",
    "sh",
    "pr",
    "tr",
    "pl",
    "cl",
    "gr",
    "br",
    "wh",
    "qu",
)
_VOWELS = (*"aeiou", "ea", "ou", "ai", "oo", "ee")
_CODAS = ("", *"ndtrslmkpg", "ng", "nd", "st", "ll", "nt", "rs", "ck", "th", "rd", "ce", "te", "ment", "tion")


def pieces(size: int) -> list[str]:
    """``size`` different pieces: unknown, letters and punctuation, then syllables with and without word mark.

    Raises:
        ValueError: more than can be made of the syllables.
    """
    made = list(itertools.islice(dict.fromkeys(_candidates()), size))
    if len(made) < size:
        raise ValueError(f"expected at most {len(made)} pieces, asked for {size}")
    return made


def _candidates() -> Iterator[str]:
    yield from (UNKNOWN, WORD_MARK)
    yield from _LETTERS
    yield from _LETTERS.upper()
    yield from ".,?!'-0123456789"
    yield from (WORD_MARK + letter for letter in _LETTERS)
    for coda, vowel, onset in itertools.product(_CODAS, _VOWELS, _ONSETS):
        yield WORD_MARK + onset + vowel + coda
        yield onset + vowel + coda


def sentencepiece_model(size: int) -> bytes:
    """A serialized BPE model of exactly ``size`` pieces; the unknown piece is id 0.

    Raises:
        ValueError: see :func:`pieces`.
    """
    model: Any = model_pb2.ModelProto()  # type: ignore[attr-defined]  # made when it is imported
    for i, text in enumerate(pieces(size)):
        piece = model.pieces.add(piece=text, score=float(-i))
        piece.type = piece.UNKNOWN if text == UNKNOWN else piece.NORMAL
    model.trainer_spec.model_type = model.trainer_spec.BPE
    model.trainer_spec.vocab_size = size
    # transducers have no use for sentence marks
    model.trainer_spec.bos_id = model.trainer_spec.eos_id = model.trainer_spec.pad_id = -1
    model.normalizer_spec.name = "identity"
    data: bytes = model.SerializeToString(deterministic=True)
    return data
