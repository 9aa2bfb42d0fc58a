"""Local agreement: what looks in a row have alike is promoted, and nothing else changes by it."""

from __future__ import annotations

from dataclasses import replace
from itertools import groupby, pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from fakes import LoudnessDetector, PieceTokenizer, ScriptedEngine, quiet, tone
from parakeet_asr.core.agreement import LocalAgreement
from parakeet_asr.core.recognizer import Recognizer
from parakeet_asr.core.session import SessionOptions, SpeechSession
from parakeet_asr.records import AudioChunk, EndReason, Transcript

SPEECH = np.concatenate(
    [quiet(0.5), *(np.concatenate([tone(0.3, a), quiet(0.2)]) for a in (0.3, 0.05, 0.9) * 3)]
)
hypotheses = st.lists(st.lists(st.sampled_from(["one", "two", "three"]), max_size=5), max_size=6)


@given(looks=st.integers(1, 4), heard=hypotheses)
def test_the_longest_common_beginning_of_the_last_looks(looks: int, heard: list[list[str]]) -> None:
    agreement = LocalAgreement(looks)
    for words in heard:
        agreement.push(words)
    count, last = agreement.words, heard[-looks:]
    if len(last) < looks:
        assert count == 0
        return
    assert all(words[:count] == last[0][:count] for words in last)
    assert len({tuple(words[: count + 1]) for words in last}) > 1 or count == min(map(len, last))


def test_without_looks_nothing_is_agreed_on() -> None:
    agreement = LocalAgreement(0)
    agreement.push(["one"])
    assert agreement.words == 0


def play(looks: int, *, partials: bool = True) -> list[Transcript]:
    options = SessionOptions(agreeing_looks=looks, chunk_s=2.0, right_s=1.0)
    session = SpeechSession(Recognizer(ScriptedEngine(), PieceTokenizer()), LoudnessDetector(), options)
    events = session.push(AudioChunk(SPEECH, 0), partials=partials) + session.finish(EndReason.STREAM)
    return [event for event in events if isinstance(event, Transcript)]


def test_agreed_words_lead_the_stable_ones_and_the_message_before_has_them_too() -> None:
    messages = play(2)
    partials = [one for one in messages if not one.is_final]
    assert any(one.agreed_words > one.stable_words for one in partials)
    for before, after in pairwise(partials):
        assert after.stable_words <= after.agreed_words <= len(after.words)
        agreed = [word.text for word in after.words[: after.agreed_words]]
        if after.agreed_words > after.stable_words:
            assert [word.text for word in before.words[: after.agreed_words]] == agreed
    final = messages[-1]
    assert final.is_final
    assert final.agreed_words == final.stable_words == len(final.words) > 5


@settings(max_examples=10, deadline=None)
@given(looks=st.integers(0, 4))
def test_agreement_touches_neither_words_nor_what_is_stable(looks: int) -> None:
    def decoded(messages: list[Transcript]) -> list[Transcript]:
        """Messages without what agreement adds: a look that changes nothing else."""
        bare = [replace(one, agreed_words=0, revision=0, duration_s=0.0) for one in messages]
        return [one for one, _ in groupby(bare)]

    assert decoded(play(looks)) == decoded(play(0))


def test_a_look_that_load_left_out_agrees_with_nothing() -> None:
    """Every commit is a look of its own; between them the old draft must not confirm itself."""
    messages = play(2, partials=False)
    first = next(one for one in messages if one.words)
    assert first.agreed_words == first.stable_words
    looks = LocalAgreement(2)
    for one in messages[:-1]:
        looks.push([word.text for word in one.words])
        assert one.agreed_words == max(one.stable_words, looks.words)


def test_every_agreed_word_of_one_look_is_a_word_that_is_shown() -> None:
    for one in play(1):
        assert one.agreed_words == len(one.words)
