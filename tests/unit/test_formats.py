"""Text, JSON and subtitles."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest

from parakeet_asr.cli.captions import split_cues, to_srt, to_vtt
from parakeet_asr.cli.formats import render
from parakeet_asr.records import Token, Transcription, Word


def words(text: str, start_s: float = 0.0, each_s: float = 0.5) -> list[Word]:
    return [
        Word(word, start_s + i * each_s, start_s + (i + 1) * each_s, 0.9)
        for i, word in enumerate(text.split())
    ]


def transcription(*spoken: Word) -> Transcription:
    tokens = (Token(7, 0, 4, 0.9), Token(3, 4, 1, 0.8))
    return Transcription(" ".join(word.text for word in spoken), tokens, tuple(spoken), 12.5)


def test_json_has_the_documented_fields_in_one_line() -> None:
    line = render(transcription(Word("Grüße", 0.08, 0.4, 0.912345)), "json", "a b.wav", 123.456)
    assert line.endswith("\n")
    assert line.count("\n") == 1
    assert "Grüße" in line
    assert json.loads(line) == {
        "audio": "a b.wav",
        "duration_s": 12.5,
        "text": "Grüße",
        "tokens": [7, 3],
        "words": [{"text": "Grüße", "start_s": 0.08, "end_s": 0.4, "confidence": 0.9123}],
        "rtfx": 123.46,
    }


def test_text_is_the_text() -> None:
    assert render(transcription(*words("One two.")), "text", "a.wav", 1.0) == "One two.\n"


def test_srt() -> None:
    spoken = [*words("Hello there."), *words("Good bye.", start_s=3661.0)]
    assert to_srt(spoken) == (
        "1\n00:00:00,000 --> 00:00:01,000\nHello there.\n\n2\n01:01:01,000 --> 01:01:02,000\nGood bye.\n"
    )


def test_vtt_escapes() -> None:
    assert to_vtt([Word("a<b>&c", 0.9996, 2.0, 0.5)]) == (
        "WEBVTT\n\n00:00:01.000 --> 00:00:02.000\na&lt;b&gt;&amp;c\n"
    )


@pytest.mark.parametrize("output_format", ["srt", "vtt"])
def test_no_words_make_no_cues(output_format: str) -> None:
    assert "-->" not in render(transcription(), output_format, "a.wav", 1.0)  # type: ignore[arg-type]


def test_a_cue_ends_with_a_sentence_and_before_a_silence() -> None:
    spoken = [*words("Yes. But later"), *words("than now", start_s=3.0)]
    assert [cue.lines for cue in split_cues(spoken)] == [("Yes.",), ("But later",), ("than now",)]


def test_a_cue_fits_two_lines_and_seven_seconds() -> None:
    long = [*words("word " * 60, each_s=0.2), *words("slow " * 30, start_s=12.0, each_s=1.5)]
    cues = split_cues(long)
    assert sum(len(line.split()) for cue in cues for line in cue.lines) == 90
    assert all(len(cue.lines) <= 2 and max(map(len, cue.lines)) <= 42 for cue in cues)
    assert all(cue.end_s - cue.start_s <= 7.0 for cue in cues)
    assert all(a.end_s <= b.start_s for a, b in pairwise(cues))


def test_a_word_longer_than_a_line_is_kept_whole() -> None:
    giant = "x" * 60
    assert [cue.lines for cue in split_cues(words(f"a {giant} b"))] == [("a", giant), ("b",)]


def test_overlapping_words_make_no_overlapping_cues() -> None:
    first, second = split_cues([Word("End.", 0.0, 1.2, 1.0), Word("Next", 1.0, 1.5, 1.0)])
    assert first.end_s == second.start_s == 1.0
