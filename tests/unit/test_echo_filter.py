"""Transcripts lose the robot's words, and only those."""

from __future__ import annotations

from dataclasses import replace

import pytest

from duplex_streams import at
from parakeet_asr.core.duplex.echo_filter import EchoFilter
from parakeet_asr.core.duplex.evidence import NearEvidence
from parakeet_asr.core.duplex.speaking import SpeakingTimeline
from parakeet_asr.records import EndReason, Transcript, Word

TEXT = "I have found your keys on the table"


def transcript(
    text: str, start_s: float, *, final: bool = True, name: str = "a", revision: int = 1
) -> Transcript:
    words = tuple(Word(w, 0.3 * i, 0.3 * i + 0.25, 0.9) for i, w in enumerate(text.split()))
    reason = EndReason.SILENCE if final else None
    return Transcript(name, revision, final, text, 0, words, at(start_s), 0.3 * len(words), 0.9, reason)


def echo_filter(evidence: NearEvidence | None = None) -> EchoFilter:
    timeline = SpeakingTimeline()
    timeline.began("say", at(10.0))
    timeline.ended("say", at(13.0))
    made = EchoFilter(timeline, evidence or NearEvidence())
    made.said(TEXT, at(10.0))
    return made


def heard(of: EchoFilter, text: str, start_s: float) -> str | None:
    judged = of.judge(transcript(text, start_s))
    return None if judged is None else judged.text


def test_an_echo_is_dropped_and_counted() -> None:
    made = echo_filter()
    assert heard(made, TEXT, 10.2) is None
    assert made.dropped == 1


def test_or_marked() -> None:
    made = echo_filter()
    made.action = "mark"
    judged = made.judge(transcript(TEXT, 10.2))
    assert judged is not None
    assert (judged.text, judged.echo, made.marked) == (TEXT, True, 1)


def test_who_repeats_the_robot_after_it_has_spoken_is_heard() -> None:
    assert heard(echo_filter(), "your keys on the table", 14.5) == "your keys on the table"


def test_who_says_one_of_its_words_while_it_speaks_is_heard() -> None:
    assert heard(echo_filter(), "table", 11.0) == "table"


def test_the_persons_part_is_kept_and_begins_when_it_was_said() -> None:
    judged = echo_filter().judge(transcript(TEXT + " stop and come here", 10.2))
    assert judged is not None
    assert judged.text == "stop and come here"
    assert judged.words[0].start_s == pytest.approx(2.4)


def test_partials_of_an_echo_are_dropped_and_the_others_keep_their_revisions() -> None:
    made = echo_filter()
    shown = [
        made.judge(transcript("I have found", 10.2, final=False, revision=1)),
        made.judge(transcript(TEXT + " stop", 10.2, final=False, revision=2)),
        made.judge(transcript(TEXT + " stop", 10.2, final=False, revision=3)),
        made.judge(transcript(TEXT + " stop and come", 10.2, revision=4)),
    ]
    assert [(s.revision, s.text) for s in shown if s is not None] == [(2, "stop"), (4, "stop and come")]


def test_an_utterance_that_was_shown_gets_its_end() -> None:
    made = echo_filter()
    assert made.judge(transcript("I", 10.2, final=False)) is not None
    last = made.judge(transcript(TEXT, 10.2, revision=2))
    assert last is not None
    assert (last.text, last.echo, last.is_final, last.revision) == ("", True, True, 2)


@pytest.mark.parametrize(("near", "expected"), [(False, None), (True, "turn left now")])
def test_sound_decides_where_the_text_does_not(near: bool, expected: str | None) -> None:
    evidence = NearEvidence()
    for frame in range(300):
        evidence.add(at(10.0) + frame * 10_000_000, near)
    assert heard(echo_filter(evidence), "turn left now", 10.5) == expected


def test_a_run_of_the_robots_words_is_echo_whatever_it_sounds_like() -> None:
    evidence = NearEvidence()
    for frame in range(300):
        evidence.add(at(10.0) + frame * 10_000_000, True)
    assert heard(echo_filter(evidence), "keys on the table", 10.5) is None
    assert heard(echo_filter(evidence), "table", 10.5) == "table", "one word is nobody's proof"


def test_without_a_robot_nothing_is_changed() -> None:
    one = transcript("go to the kitchen", 30.0)
    assert echo_filter().judge(one) == one


@pytest.mark.parametrize(("confidence", "expected"), [(0.9, "turn left"), (0.3, None)])
def test_words_that_are_doubtful_by_sound_and_by_confidence_are_the_robots(
    confidence: float, expected: str | None
) -> None:
    evidence = NearEvidence()
    for frame in range(300):
        evidence.add(at(10.0) + frame * 10_000_000, frame % 10 < 3)  # neither a person nor the robot
    said = transcript("turn left", 10.5)
    words = tuple(replace(word, confidence=confidence) for word in said.words)
    judged = echo_filter(evidence).judge(replace(said, words=words))
    assert (judged and judged.text) == expected


def test_a_word_that_the_model_writes_before_speech_began_is_judged_when_it_can_have_been_said() -> None:
    """The pre-roll holds no speech: a word in it belongs to what comes behind, here the robot's beginning."""
    evidence = NearEvidence()
    for frame in range(300):
        evidence.add(at(10.0) + frame * 10_000_000, False)
    assert heard(echo_filter(evidence), "I", 9.7) is None
    assert heard(echo_filter(), "no", 8.0) == "no"
