"""The echo's way: its delay, what the reference cannot explain, and what the session makes of both."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from duplex_streams import START_NS, at, cut, feed, finals, speech_session, spoken_s
from fakes import LoudnessDetector
from parakeet_asr.core.duplex.delay import SEARCH_SAMPLES, WINDOW_SAMPLES, DelaySearch
from parakeet_asr.core.duplex.near import NearDetector
from parakeet_asr.core.duplex.options import DuplexOptions
from parakeet_asr.core.duplex.residual import WINDOW_SAMPLES as BAND_SAMPLES
from parakeet_asr.core.duplex.residual import ResidualDetector
from parakeet_asr.core.duplex.session import DuplexSession
from parakeet_asr.errors import ConfigurationError
from parakeet_asr.records import BargeIn, Event, FloatArray

DELAY = 4_000  # samples, 0.25 s


def voice(seconds: float, seed: int, level: float = 0.1) -> FloatArray:
    """Syllables of coloured noise: a spectrum and an envelope, as speech has them."""
    rng = np.random.default_rng(seed)
    size = round(seconds * 16_000)
    syllables = np.repeat(rng.uniform(0.1, 1.0, size // 2400 + 1), 2400)[:size]
    noise = np.convolve(rng.standard_normal(size), rng.standard_normal(12), "same")
    return (level * syllables * noise / noise.std()).astype(np.float32)


def room_noise(samples: int) -> FloatArray:
    return (1e-4 * np.random.default_rng(9).standard_normal(samples)).astype(np.float32)


class ExactCanceller:
    """Stands in for a library: knows the echo path, which delays by the lead and halves."""

    def __init__(self) -> None:
        self.frames = 0
        self._before = np.zeros(80, np.float32)

    def cancel(self, near: FloatArray, far: FloatArray) -> FloatArray:
        self.frames += 1
        line = np.concatenate((self._before, far))
        self._before = line[160:]
        return near - np.float32(0.5) * line[:160]

    def reset(self) -> None:
        self._before = np.zeros(80, np.float32)


# The robot is handed 4 s of voice at 2 s; a person speaks from 4 to 5 s and, alone, from 8.5 to 9.5 s.
SIZE = 11 * 16_000
ROBOT = voice(4.0, 1)
PERSON = np.zeros(SIZE, np.float32)
PERSON[4 * 16_000 : 5 * 16_000] = voice(1.0, 2)
PERSON[round(8.5 * 16_000) : round(9.5 * 16_000)] = voice(1.0, 3)
ECHO = np.zeros(SIZE, np.float32)
ECHO[2 * 16_000 + DELAY : 6 * 16_000 + DELAY] = 0.5 * ROBOT
MICROPHONE = ECHO + PERSON + room_noise(SIZE)


def full(canceller: ExactCanceller | None = None, **options: object) -> DuplexSession:
    return DuplexSession(
        speech_session(),
        DuplexOptions(mode="full", **options),  # type: ignore[arg-type]
        canceller=lambda: canceller or ExactCanceller(),
        detector=LoudnessDetector(),
    )


def converse(session: DuplexSession, sizes: list[int], played: list[int]) -> list[Event]:
    return feed(session, cut(MICROPHONE, sizes), cut(ROBOT, played, at(2.0)))


def test_the_robot_is_cancelled_and_both_times_the_person_is_heard() -> None:
    session = full()
    first, second = finals(converse(session, [800], [800]))
    assert spoken_s(first) == pytest.approx((4.0, 5.0), abs=0.3)
    assert spoken_s(second) == pytest.approx((8.5, 9.5), abs=0.2)
    stats = session.stats()
    assert stats.delay_s == pytest.approx(DELAY / 16_000, abs=1e-4)
    assert stats.erle_db is not None
    assert stats.erle_db > 20
    assert stats.echo_level_dbfs == pytest.approx(-30, abs=6)


def test_the_person_interrupts_once_and_soon() -> None:
    session, heard_s, told = full(), 0.0, []
    for played in cut(ROBOT, [800], at(2.0)):
        session.push_playback(played)
    for chunk in cut(MICROPHONE, [320]):
        heard_s += 0.02
        told += [(e, heard_s) for e in session.push(chunk) if isinstance(e, BargeIn)]
    assert len(told) == 1, "not by its own voice, and not when the person speaks alone"
    assert (told[0][0].stamp_ns - START_NS) / 1e9 == pytest.approx(4.0, abs=0.1)
    assert told[0][1] < 4.5


def test_nobody_who_only_listens_to_the_robot_interrupts() -> None:
    session = full()
    events = feed(session, cut(ECHO + room_noise(SIZE), [800]), cut(ROBOT, [800], at(2.0)))
    assert not finals(events)
    assert session.stats().barge_ins == 0


@settings(max_examples=4, deadline=None)
@given(
    sizes=st.lists(st.integers(200, 9000), min_size=1, max_size=4),
    played=st.lists(st.integers(200, 9000), min_size=1, max_size=4),
)
def test_chunks_of_either_stream_change_nothing(sizes: list[int], played: list[int]) -> None:
    assert converse(full(), sizes, played) == converse(full(), [4000], [len(ROBOT)])


def test_where_nothing_is_played_nothing_is_done() -> None:
    canceller = ExactCanceller()
    session = full(canceller)
    other = DuplexSession(speech_session(), DuplexOptions(mode="off"))
    chunks = cut(PERSON, [1600])
    assert feed(session, chunks) == feed(other, chunks)
    assert canceller.frames == 0


def test_words_that_may_interrupt_are_waited_for() -> None:
    session = full(words=("one",))
    session.timeline.began("say", at(2.0))
    session.timeline.ended("say", at(6.3))
    events = converse(session, [800], [800])
    told = [e for e in events if isinstance(e, BargeIn)]
    said = {part for final in finals(events) for part in final.text.split()}
    assert [e.matched_word for e in told] == (["one"] if "one" in said else [])


def test_full_needs_a_canceller() -> None:
    with pytest.raises(ConfigurationError, match="canceller"):
        DuplexSession(speech_session(), DuplexOptions(mode="full"))
    session = DuplexSession(speech_session(), DuplexOptions(mode="filter"))
    with pytest.raises(ConfigurationError, match="canceller"):
        session.set_mode("full")
    assert session.duplex_options.mode == "filter"


@pytest.mark.parametrize("delay", [0, 700, 9_000, 23_000])
def test_delays_are_found_to_the_sample_and_followed(delay: int) -> None:
    played = np.concatenate((np.zeros(SEARCH_SAMPLES, np.float32), voice(4.0, 4)))
    heard = np.concatenate((np.zeros(delay, np.float32), 0.3 * played))[: len(played)]
    heard += voice(len(heard) / 16_000, 5, 0.02)
    search = DelaySearch()
    search.delay_samples = 11_111  # that of the utterance before
    for end in range(SEARCH_SAMPLES + WINDOW_SAMPLES + delay, len(played), 1600):
        near = heard[end - WINDOW_SAMPLES : end]
        search.look(near, played[end - WINDOW_SAMPLES - SEARCH_SAMPLES : end], end - SEARCH_SAMPLES)
    assert (search.delay_samples, search.confirmed) == (delay, True)


def test_no_echo_no_delay() -> None:
    search = DelaySearch()
    for turn in range(8):
        search.look(voice(1.0, turn), voice(2.5, 100 + turn), 40_000)
    assert search.delay_samples is None


def test_before_an_echo_comes_none_is_found() -> None:
    """A short sound correlates with anything now and then."""
    for seed in range(30):
        search, robot, noise = DelaySearch(), voice(1.2, seed), room_noise(4 * WINDOW_SAMPLES)
        for playing in range(1600, len(robot), 1600):
            far = np.zeros(SEARCH_SAMPLES + WINDOW_SAMPLES, np.float32)
            far[-playing:] = robot[:playing]
            search.look(noise[playing : playing + WINDOW_SAMPLES], far, playing)
        assert search.delay_samples is None


def test_what_a_canceller_that_fails_leaves_is_no_evidence() -> None:
    rng = np.random.default_rng(11)
    robot = voice(8.0, 12)
    captured = 0.8 * robot + room_noise(len(robot))
    captured[5 * 16_000 : 6 * 16_000] += voice(1.0, 13)
    failing = np.repeat(rng.uniform(0.2, 1.0, len(robot) // 1600), 1600)  # better and worse, with no reason
    marks = {}
    for name, left in (("fails", captured * failing.astype(np.float32)), ("works", captured - 0.8 * robot)):
        detector, near = NearDetector(), []
        for end in range(BAND_SAMPLES, len(robot), 160):
            frame = slice(end - 160, end)
            near.append(detector.push(captured[frame], left[frame], robot[end - BAND_SAMPLES : end]))
        marks[name] = np.array(near)
    for near in marks.values():
        assert near[500:600].mean() > 0.3
        assert near[100:490].mean() < 0.05
    assert marks["works"][500:600].mean() > 0.9


def test_a_person_is_noticed_over_an_echo_that_clips() -> None:
    robot = voice(6.0, 6)
    robot *= np.repeat([1, 1, 0], 2400)[np.arange(len(robot)) % 7200]  # pauses between the syllables
    heard = np.clip(20 * robot, -1.0, 1.0)  # 26 dB above, and cut off
    person = voice(1.0, 7, 0.3)
    heard[64_000:80_000] += person
    detector, near = ResidualDetector(), []
    for end in range(BAND_SAMPLES, len(robot), 160):
        detector.push(heard[end - BAND_SAMPLES : end], robot[end - BAND_SAMPLES : end])
        near.append(detector.near)
    marks = np.array(near)
    assert marks[405:495].mean() > 0.2, "at least in the pauses"
    assert marks[100:395].mean() < 0.05
