"""From token ids to pieces and text; how the ids were made is the tokenizer's own business."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Protocol

WORD_BOUNDARY = "\u2581"  # SentencePiece writes a space before a piece as this mark
UNKNOWN_TEXT = " \u2047 "  # how SentencePiece shows <unk>

_BYTE_PIECE = re.compile(r"<0x([0-9A-F]{2})>")


class Tokenizer(Protocol):
    """A vocabulary of pieces."""

    @property
    def pieces(self) -> Sequence[str]:
        """Piece of every id, in SentencePiece's notation."""
        ...

    def encode(self, text: str) -> list[int]:
        """Token ids of a text."""
        ...


def pieces_to_text(pieces: Iterable[str]) -> str:
    """Join pieces as SentencePiece's ``decode_pieces`` does: bytes become UTF-8, marks become spaces."""
    return _join_bytes(pieces).replace("<unk>", UNKNOWN_TEXT).replace(WORD_BOUNDARY, " ").strip(" ")


def starts_word(piece: str) -> bool:
    """Whether a piece begins a new word."""
    return piece.startswith(WORD_BOUNDARY) or piece == "<unk>"


def _join_bytes(pieces: Iterable[str]) -> str:
    text, pending = [], bytearray()
    for piece in pieces:
        if match := _BYTE_PIECE.fullmatch(piece):
            pending.append(int(match[1], 16))
            continue
        text.append(pending.decode("utf-8", "replace"))
        pending.clear()
        text.append(piece)
    text.append(pending.decode("utf-8", "replace"))
    return "".join(text)
