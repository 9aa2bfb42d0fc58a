"""Tokens to words: text, times, confidence."""

from __future__ import annotations

import pytest

from parakeet_asr.core.tokenizer import pieces_to_text
from parakeet_asr.core.words import build_words, join_words
from parakeet_asr.records import Token

PIECES = ("<unk>", "\u2581go", "\u2581to", "\u2581", "K", "it", ",", "<0xC3>", "<0xA9>", "'", "s")


def test_words_take_times_of_their_tokens() -> None:
    tokens = [
        Token(1, 0, 2, 0.9),
        Token(2, 3, 1, 0.8),
        Token(3, 5, 1, 0.5),
        Token(4, 6, 1, 0.7),
        Token(5, 7, 4, 0.6),
    ]
    go, to, kit = build_words(tokens, PIECES, 0.08)
    assert (go.text, to.text, kit.text) == ("go", "to", "Kit")
    assert (go.start_s, go.end_s) == pytest.approx((0.0, 0.16))
    assert (kit.start_s, kit.end_s) == pytest.approx((0.40, 0.88))
    assert kit.confidence == pytest.approx(0.6)


def test_punctuation_after_a_pause_does_not_stretch_the_word() -> None:
    (word,) = build_words([Token(1, 2, 2, 1.0), Token(6, 20, 1, 1.0)], PIECES, 0.08)
    assert word.text == "go,"
    assert word.end_s == pytest.approx(0.32)


def test_an_apostrophe_inside_a_word_keeps_the_word_together() -> None:
    (word,) = build_words([Token(1, 0, 1, 1.0), Token(9, 1, 1, 1.0), Token(10, 2, 1, 1.0)], PIECES, 0.08)
    assert word.text == "go's"
    assert word.end_s == pytest.approx(0.24)


def test_rnnt_tokens_last_one_step() -> None:
    (word,) = build_words([Token(1, 4, 0, 1.0)], PIECES, 0.08)
    assert (word.start_s, word.end_s) == pytest.approx((0.32, 0.40))


def test_words_do_not_overlap_when_a_token_has_no_duration() -> None:
    go, to = build_words([Token(1, 3, 0, 1.0), Token(2, 3, 2, 1.0)], PIECES, 0.08)
    assert go.end_s == to.start_s == pytest.approx(0.24)
    assert to.end_s == pytest.approx(0.40)


def test_no_tokens_no_words() -> None:
    assert build_words([], PIECES, 0.08) == ()
    assert join_words(()) == ""


def test_a_lone_boundary_mark_is_no_word() -> None:
    assert build_words([Token(3, 0, 1, 1.0), Token(1, 1, 1, 1.0)], PIECES, 0.08)[0].text == "go"


@pytest.mark.parametrize(
    ("pieces", "text"),
    [
        (["\u2581go", "\u2581to"], "go to"),
        (["\u2581caf", "<0xC3>", "<0xA9>", "\u2581go"], "caf\u00e9 go"),
        (["<0xC3>"], "\ufffd"),
        (["\u2581go", "<unk>"], "go \u2047"),
    ],
)
def test_pieces_join_as_sentencepiece_joins_them(pieces: list[str], text: str) -> None:
    assert pieces_to_text(pieces) == text
