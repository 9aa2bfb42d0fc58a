"""What streams are judged by: alignment with times, revisions, overlaps."""

from __future__ import annotations

import pytest

pytest.importorskip("parakeet_asr_tools")

from parakeet_asr_tools.benchmark.stream_measures import (
    HeardWord,
    WordError,
    near,
    overlaps,
    revised_words,
    revision_rate,
    spoken,
    timed_errors,
)


def heard(text: str) -> list[HeardWord]:
    """One word per second."""
    return [HeardWord(word, i + 0.0, i + 0.5) for i, word in enumerate(text.split())]


def test_errors_lie_where_they_happened() -> None:
    errors = timed_errors(["go", "to", "the", "red", "kitchen"], heard("uh go to the kitchen"))
    assert [(one.kind, one.time_s) for one in errors] == [("insertion", 0.25), ("deletion", 3.75)]
    assert near(errors, [4.0], 0.5) == 1
    assert near(errors, [], 0.5) == 0


def test_substitutions_are_errors_but_no_seam_errors() -> None:
    errors = timed_errors(["go"], heard("no"))
    assert errors == [WordError("substitution", 0.25)]
    assert near(errors, [0.25]) == 0


def test_nothing_heard_and_nothing_said() -> None:
    assert [one.kind for one in timed_errors(["go", "on"], [])] == ["deletion", "deletion"]
    assert [one.kind for one in timed_errors([], heard("go"))] == ["insertion"]


def test_words_added_at_the_end_revise_nothing() -> None:
    assert revised_words(["go", "to"], ["go", "to", "the"]) == 0
    assert revised_words(["go", "two", "a"], ["go", "to", "the", "kitchen"]) == 2
    assert revised_words(["go", "on"], []) == 2


def test_revision_rate_counts_every_word_that_was_shown() -> None:
    assert revision_rate([["go"], ["no", "to"], ["no", "to", "it"]]) == (1, 4)


def test_parts_of_one_word_do_not_overlap() -> None:
    assert overlaps(spoken([HeardWord("re-enter", 0.0, 1.0)])) == 0
    assert overlaps([HeardWord("a", 0.0, 1.0), HeardWord("b", 0.9, 1.2)]) == 1
