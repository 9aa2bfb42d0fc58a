"""Half duplex: what is captured while the robot speaks is not heard, whenever one learns of it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from duplex_streams import at, cut, duplex, feed, finals, spoken_s
from fakes import quiet, tone
from parakeet_asr.core.duplex.options import DuplexOptions
from parakeet_asr.errors import ConfigurationError
from parakeet_asr.records import EndReason, Gated, SpeechActivity, Transcript

# A person from 1 to 2.5 s; the robot from 3 to 5 s, as loud; a person from 5.4 to 6.4 s.
SOUND = np.concatenate(
    [quiet(1.0), tone(1.5), quiet(0.5), tone(2.0, 0.1), quiet(0.4), tone(1.0, 0.03), quiet(1.0)]
)


def test_only_people_are_heard() -> None:
    session = duplex(mode="gate")
    session.timeline.began("say", at(3.0))
    session.timeline.ended("say", at(5.0))
    events = feed(session, cut(SOUND, [1600]))
    first, second = finals(events)
    assert spoken_s(first) == pytest.approx((1.0, 2.5), abs=0.1)
    assert spoken_s(second) == pytest.approx((5.4, 6.4), abs=0.1), "the onset behind the tail is not clipped"
    assert [e for e in events if isinstance(e, Gated)] == [Gated(True, at(3.0)), Gated(False, at(5.3))]
    assert session.stats().gated_s == pytest.approx(2.3)


def test_without_a_gate_the_robot_is_heard() -> None:
    session = duplex(mode="off")
    session.timeline.began("say", at(3.0))
    session.timeline.ended("say", at(5.0))
    assert (
        max(spoken_s(final)[1] - spoken_s(final)[0] for final in finals(feed(session, cut(SOUND, [1600]))))
        > 3
    )


@settings(max_examples=8, deadline=None)
@given(
    sizes=st.lists(st.integers(80, 9000), min_size=1, max_size=6),
    played=st.lists(st.integers(40, 9000), min_size=1, max_size=6),
)
def test_chunks_of_either_stream_change_nothing(sizes: list[int], played: list[int]) -> None:
    voice = np.concatenate([tone(0.7, 0.2), quiet(0.15), tone(1.15, 0.2)])

    def heard(sizes: list[int], played: list[int]) -> list[object]:
        return list(feed(duplex(mode="gate"), cut(SOUND, sizes), cut(voice, played, at(3.0))))

    assert heard(sizes, played) == heard([len(SOUND)], [len(voice)])


def test_who_interrupts_the_robots_beginning_keeps_what_was_said_before() -> None:
    session = duplex(mode="gate")
    session.timeline.began("say", at(1.8))
    session.timeline.ended("say", at(5.0))
    first, _ = finals(feed(session, cut(SOUND, [1600])))
    assert spoken_s(first) == pytest.approx((1.0, 1.8), abs=0.1)
    assert first.end_reason is EndReason.FORCED
    assert first.start_ns + round(first.duration_s * 1e9) == at(1.8)


def test_a_beginning_that_is_known_late_ends_the_utterance_at_its_stamp() -> None:
    session = duplex(mode="gate")
    chunks = cut(SOUND, [1600])
    events = [e for chunk in chunks[:24] for e in session.push(chunk)]  # 2.4 s
    assert session.utterance_open
    session.timeline.began("say", at(1.8))
    session.timeline.ended("say", at(5.0))
    events += feed(session, chunks[24:])
    first, second = finals(events)
    assert first.start_ns + round(first.duration_s * 1e9) == at(1.8)
    assert spoken_s(second) == pytest.approx((5.4, 6.4), abs=0.1)
    assert [e.stamp_ns for e in events if isinstance(e, Gated)] == [at(1.8), at(5.3)]


def test_an_utterance_of_the_robot_alone_that_was_shown_ends_empty() -> None:
    session = duplex(mode="gate")
    chunks = cut(SOUND[32_000:], [1600], at(2.0))  # from 0.5 s before the end of the person
    chunks = [c for c in cut(SOUND, [1600]) if c.stamp_ns >= at(2.6)]
    events = [e for chunk in chunks[:14] for e in session.push(chunk)]  # the robot was heard for a second
    shown = [e for e in events if isinstance(e, Transcript)]
    assert shown, "partials of the robot's voice, before anybody said that it speaks"
    session.timeline.began("say", at(2.8))
    events += session.push(chunks[14])
    final = finals(events)[0]
    assert (final.utterance_id, final.text) == (shown[0].utterance_id, "")
    assert [e.active for e in events if isinstance(e, SpeechActivity)] == [True, False]


def test_a_dead_witness_is_released() -> None:
    session = duplex(mode="gate", watchdog_s=1.0)
    session.timeline.began("say", at(3.0))
    session.timeline.heartbeat("say", at(3.7))
    events = feed(session, cut(SOUND, [1600]))
    assert [e for e in events if isinstance(e, Gated)] == [Gated(True, at(3.0)), Gated(False, at(5.0))]
    assert session.stats().watchdog_releases == 1


def test_leaving_the_mode_opens_the_gate() -> None:
    session = duplex(mode="gate")
    session.timeline.began("say", at(0.0))
    chunks = cut(SOUND, [1600])
    assert session.push(chunks[0]) == [Gated(True, at(0.0))]
    session.set_mode("off")
    assert session.push(chunks[1]) == [Gated(False, at(0.1))]
    assert session.stats().gate_open


@pytest.mark.parametrize("options", [{"mode": "half"}, {"tail_s": -1.0}, {"watchdog_s": 0.0}])
def test_impossible_options_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(ConfigurationError, match=next(iter(options))):
        DuplexOptions(**options)  # type: ignore[arg-type]
