"""The demo's arithmetic, and that it fails when recognition does."""

from __future__ import annotations

import pytest

from parakeet_asr.core.edit_distance import edit_distance
from report import Heard, percentile, summarize, words


@pytest.mark.parametrize(
    ("expected", "heard", "count"),
    [
        ("go to room four", "go to room four", 0),
        ("go to room four", "", 4),
        ("", "go", 1),
        ("go to room four", "go room four", 1),
        ("go to room four", "go to the room for", 2),
        ("a b c", "c a b", 2),
    ],
)
def test_errors_are_counted_in_words(expected: str, heard: str, count: int) -> None:
    assert edit_distance(expected.split(), heard.split()) == count


def test_case_and_punctuation_do_not_count() -> None:
    assert words("Don't go, John!") == ["don't", "go", "john"]


def test_percentiles_are_values_that_occurred() -> None:
    assert percentile([4.0, 1.0, 3.0, 2.0], 50) == 2.0
    assert percentile([4.0, 1.0, 3.0, 2.0], 95) == 4.0
    assert percentile([1.0], 95) == 1.0


@pytest.mark.parametrize(("text", "good"), [("Go to room.", True), ("No.", False), ("", False)])
def test_the_summary_says_whether_it_worked(
    text: str, good: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    heard = Heard("a.flac", "Go to room.", 2.0, text, 0.1 if text else None)
    assert summarize([heard]) is good
    assert "word error rate" in capsys.readouterr().out
