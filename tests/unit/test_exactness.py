"""What holds for any sound in any way: gaps shift no times, timing changes no final, silence is free."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fakes import LoudnessDetector, PieceTokenizer, ScriptedEngine, quiet, tone
from parakeet_asr.core.recognizer import Recognizer
from parakeet_asr.core.session import SessionOptions, SpeechSession
from parakeet_asr.records import SAMPLE_RATE_HZ, AudioChunk, EndReason, Event, FloatArray, Transcript
from parakeet_asr.worker import Worker

START_NS = 1_700_000_000_000_000_000
SAMPLE_NS = 62_500
STEP_S = 0.08
WAIT_S = 30.0

# Five sounds of three kinds, which the scripted model writes as three kinds of words.
ONSETS_S = tuple(0.6 + 0.7 * number for number in range(5))
KINDS = (0.3, 0.05, 0.9)


def speech() -> FloatArray:
    samples = quiet(ONSETS_S[-1] + 1.0)
    for number, onset_s in enumerate(ONSETS_S):
        sound = tone(0.3, KINDS[number % 3])
        start = round(onset_s * SAMPLE_RATE_HZ)
        samples[start : start + len(sound)] = sound
    return samples


SPEECH = speech()


def session(engine: ScriptedEngine | None = None, **options: float) -> SpeechSession:
    recognizer = Recognizer(engine or ScriptedEngine(), PieceTokenizer())
    return SpeechSession(recognizer, LoudnessDetector(), SessionOptions(**options))  # type: ignore[arg-type]


def finals(events: list[Event]) -> list[Transcript]:
    return [event for event in events if isinstance(event, Transcript) and event.is_final]


def onsets_s(transcripts: list[Transcript]) -> list[float]:
    """When sounds began by the capture clock; each is one word after the other, without a pause."""
    words = [
        ((one.start_ns - START_NS) / 1e9 + word.start_s, (one.start_ns - START_NS) / 1e9 + word.end_s)
        for one in transcripts
        for word in one.words
    ]
    return [
        start_s
        for (start_s, _), end_s in zip(words, [-1.0, *(end_s for _, end_s in words)], strict=False)
        if start_s - end_s > STEP_S
    ]


def test_the_script_is_heard_where_it_lies() -> None:
    target = session()
    events = target.push(AudioChunk(SPEECH, START_NS)) + target.finish(EndReason.STREAM)
    assert onsets_s(finals(events)) == pytest.approx(ONSETS_S, abs=STEP_S)


@settings(max_examples=12, deadline=None)
@given(
    after=st.integers(0, len(ONSETS_S) - 2),
    missing_s=st.floats(0.11, 0.2),
    size=st.integers(800, 20_000),
    partials=st.booleans(),
)
def test_a_gap_is_marked_and_shifts_no_time(after: int, missing_s: float, size: int, partials: bool) -> None:
    """Samples of the pause between two sounds get lost, and the stamps know it."""
    first = round((ONSETS_S[after] + 0.32) * SAMPLE_RATE_HZ)
    behind = first + round(missing_s * SAMPLE_RATE_HZ)
    target = session(partial_interval_s=0.96)
    events: list[Event] = []
    for start, stop in ((0, first), (behind, len(SPEECH))):
        for begin in range(start, stop, size):
            chunk = AudioChunk(SPEECH[begin : min(begin + size, stop)], START_NS + begin * SAMPLE_NS)
            events += target.push(chunk, partials=partials)
    heard = finals(events + target.finish(EndReason.STREAM))
    assert target.jumps == 1
    assert onsets_s(heard) == pytest.approx(ONSETS_S, abs=1.5 * STEP_S)
    gap_ns = START_NS + first * SAMPLE_NS
    for one in heard:
        around = one.start_ns < gap_ns < one.start_ns + round((one.duration_s + missing_s) * 1e9)
        assert one.audio_gap == around


@settings(max_examples=15, deadline=None)
@given(
    sizes=st.lists(st.integers(400, 12_000), min_size=1, max_size=6),
    waits=st.lists(st.booleans(), min_size=1, max_size=6),
    capacity_s=st.floats(1.0, 8.0),
)
def test_no_interleaving_of_worker_and_producer_changes_a_final(
    sizes: list[int], waits: list[bool], capacity_s: float
) -> None:
    """Drafts may be left out, so messages may be fewer; finals are the same to the last bit."""
    events: list[Event] = []
    errors: list[Exception] = []
    target = session(silence_s=0.35)
    worker = Worker(target, lambda event, _: events.append(event), errors.append, capacity_s)
    worker.start()
    begin = turn = 0
    while begin < len(SPEECH):
        chunk = AudioChunk(SPEECH[begin : begin + sizes[turn % len(sizes)]], START_NS + begin * SAMPLE_NS)
        worker.submit_blocking(chunk)
        if waits[turn % len(waits)]:
            assert worker.drain(WAIT_S)
        begin, turn = begin + len(chunk.samples), turn + 1
    worker.finish(EndReason.STREAM)
    assert worker.drain(WAIT_S)
    worker.stop()
    assert errors == []
    alone = session(silence_s=0.35)
    expected = finals(alone.push(AudioChunk(SPEECH, START_NS)) + alone.finish(EndReason.STREAM))
    assert [replace(one, revision=0) for one in finals(events)] == [
        replace(one, revision=0) for one in expected
    ]
    assert len(expected) == len(ONSETS_S)


def test_the_encoder_does_not_run_in_silence() -> None:
    engine = ScriptedEngine()
    target = session(engine)
    noise = 1e-3 * np.random.default_rng(0).standard_normal(20 * SAMPLE_RATE_HZ).astype(np.float32)
    target.push(AudioChunk(noise, START_NS))
    assert engine.encoded_frames == []
    target.push(AudioChunk(SPEECH[: round(1.6 * SAMPLE_RATE_HZ)], START_NS + 20_000_000_000))
    assert len(finals(target.push(AudioChunk(noise, START_NS + 21_600_000_000)))) == 1
    passes = len(engine.encoded_frames)
    assert passes > 1
    target.push(AudioChunk(noise, START_NS + 41_600_000_000))
    assert len(engine.encoded_frames) == passes
