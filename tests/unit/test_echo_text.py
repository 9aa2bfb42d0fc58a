"""Which of the words that were heard are the robot's own."""

from __future__ import annotations

import pytest

from parakeet_asr.core.duplex.echo_text import echo_words, letter_edits, normal_words, similarity

SAID = normal_words("I have found your keys on the table. Shall I bring them to the kitchen?")


def marked(heard: str, said: list[str] = SAID) -> str:
    """The words that are taken for echo."""
    words = normal_words(heard)
    return " ".join(w for w, echo in zip(words, echo_words(words, said), strict=True) if echo)


@pytest.mark.parametrize(
    "heard",
    [
        "I have found your keys on the table.",
        "found your keys on the",
        "I have fond your kees on a table",
        "shall I bring them",
        "I have fownd yore geese under table shell eye bring them",
    ],
)
def test_what_the_robot_said_is_echo_also_when_it_was_heard_badly(heard: str) -> None:
    assert marked(heard) == " ".join(normal_words(heard))


@pytest.mark.parametrize(
    "heard",
    ["kitchen", "Stop!", "go to the charging dock", "no, bring me the water bottle", "the table", ""],
)
def test_what_a_person_says_is_not_though_a_word_of_it_is_the_robots(heard: str) -> None:
    assert marked(heard) == ""


def test_one_repeated_word_is_nobodys_proof() -> None:
    assert marked("kitchen") == marked("keys please") == ""


def test_an_utterance_that_begins_as_echo_keeps_the_persons_part() -> None:
    assert marked("I have found your keys on stop follow me to room twelve") == "i have found your keys on"


def test_and_one_that_ends_as_echo() -> None:
    heard = "turn left now shall I bring them to the kitchen"
    assert marked(heard) == "shall i bring them to the kitchen"


def test_nothing_was_said() -> None:
    assert marked("go to the kitchen", []) == ""


def test_similarity_counts_letters() -> None:
    assert similarity("table", "table") == 1.0
    assert similarity("table", "tabel") == pytest.approx(0.6)
    assert similarity("a", "elevator") == 0.0
    assert letter_edits("founder", "ihavefoundyourkeys") == pytest.approx(2 / 7)
