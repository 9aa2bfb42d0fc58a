"""When the robot speaks, from witnesses that know more or less and may die."""

from __future__ import annotations

from parakeet_asr.core.duplex.speaking import SpeakingTimeline

S = 1_000_000_000


def timeline(**times: float) -> SpeakingTimeline:
    return SpeakingTimeline(**{"tail_s": 0.5, "watchdog_s": 3.0, "seconds_per_character": 0.1, **times})


def spoken(of: SpeakingTimeline, stop_s: float = 100.0) -> list[tuple[float, float]]:
    return [(a / S, b / S) for a, b in of.intervals(0, round(stop_s * S))]


def test_a_tail_follows_and_several_witnesses_add_up() -> None:
    known = timeline()
    known.began("say", 1 * S)
    known.ended("say", 2 * S)
    known.began("flag", 2 * S)
    known.ended("flag", 4 * S)
    known.began("flag", 10 * S)
    known.ended("flag", 11 * S)
    assert spoken(known) == [(1.0, 4.5), (10.0, 11.5)]
    assert known.speaking(4 * S)
    assert not known.speaking(5 * S)


def test_only_the_text_gives_an_estimate_and_texts_are_said_one_after_the_other() -> None:
    known = timeline()
    known.text("x" * 20, 1 * S)
    known.text("x" * 10, 2 * S)
    assert spoken(known) == [(1.0, 4.5)]


def test_a_better_witness_ends_the_estimate() -> None:
    known = timeline()
    known.text("x" * 90, 1 * S)
    known.began("say", 2 * S)
    known.ended("say", 4 * S)
    assert spoken(known) == [(1.0, 4.5)]
    played = timeline()
    played.text("x" * 90, 1 * S)
    played.span("playback", 2 * S, 3 * S)
    assert spoken(played) == [(1.0, 3.5)]


def test_the_text_that_comes_after_is_estimated_again() -> None:
    known = timeline()
    known.began("say", 1 * S)
    known.ended("say", 2 * S)
    known.text("x" * 10, 5 * S)
    assert spoken(known) == [(1.0, 2.5), (5.0, 6.5)]


def test_the_watchdog_ends_what_nobody_confirms() -> None:
    known = timeline()
    known.began("say", 1 * S)
    assert spoken(known) == [(1.0, 4.5)]
    known.heartbeat("say", 3 * S)
    assert spoken(known) == [(1.0, 6.5)]
    known.release_dead(20 * S)
    assert (spoken(known), known.releases) == ([(1.0, 6.5)], 1)
    known.release_dead(21 * S)
    assert known.releases == 1


def test_a_witness_taken_for_dead_comes_back() -> None:
    known = timeline()
    known.began("say", 1 * S)
    known.release_dead(5 * S)
    known.heartbeat("say", 7 * S)
    known.ended("say", 8 * S)
    known.heartbeat("say", 9 * S)
    assert spoken(known) == [(1.0, 4.5), (7.0, 8.5)]


def test_what_was_announced_can_be_taken_back() -> None:
    known = timeline()
    known.span("playback", 1 * S, 9 * S)
    known.cut("playback", 3 * S)
    assert spoken(known) == [(1.0, 3.5)]


def test_what_is_over_is_forgotten() -> None:
    known = timeline()
    known.span("playback", 1 * S, 2 * S)
    known.began("say", 8 * S)
    known.forget_before(6 * S)
    assert spoken(known) == [(8.0, 11.5)]
