"""The worker: order, bounds, accounting, survival."""

from __future__ import annotations

import threading

import pytest

from fakes import LoudnessDetector, PieceTokenizer, ScriptedEngine, quiet, tone
from parakeet_asr.core.recognizer import Recognizer
from parakeet_asr.core.session import SpeechSession
from parakeet_asr.errors import EngineError, WorkerError
from parakeet_asr.records import AudioChunk, Event, Transcript
from parakeet_asr.worker import Worker

WAIT_S = 20.0


class Collected:
    def __init__(self, engine: ScriptedEngine, capacity_s: float = 30.0) -> None:
        self.events: list[Event] = []
        self.latencies: list[float] = []
        self.errors: list[Exception] = []
        session = SpeechSession(Recognizer(engine, PieceTokenizer()), LoudnessDetector())
        self.worker = Worker(session, self._publish, self.errors.append, capacity_s)

    def _publish(self, event: Event, latency_s: float) -> None:
        self.events.append(event)
        self.latencies.append(latency_s)

    @property
    def texts(self) -> list[str]:
        return [e.text for e in self.events if isinstance(e, Transcript) and e.is_final]


class BlockedEngine(ScriptedEngine):
    """Waits in encode until it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.entered, self.go = threading.Event(), threading.Event()

    def encode(self, features, lengths):  # type: ignore[no-untyped-def]
        self.entered.set()
        assert self.go.wait(WAIT_S)
        return super().encode(features, lengths)


class FailingEngine(ScriptedEngine):
    """Fails once."""

    failed = False

    def encode(self, features, lengths):  # type: ignore[no-untyped-def]
        if not self.failed:
            self.failed = True
            raise EngineError("the graph failed")
        return super().encode(features, lengths)


def chunks(seconds: float, start: int = 0) -> list[AudioChunk]:
    return [AudioChunk(tone(0.1), start + i * 100_000_000) for i in range(round(seconds * 10))]


def test_a_full_queue_drops_counts_and_marks() -> None:
    engine = BlockedEngine()
    collected = Collected(engine, capacity_s=1.0)
    collected.worker.start()
    for chunk in chunks(0.6):
        assert collected.worker.submit(chunk)
    assert engine.entered.wait(WAIT_S)
    accepted = [collected.worker.submit(chunk) for chunk in chunks(2.0, 600_000_000)]
    assert accepted.count(False) >= 10
    stats = collected.worker.stats()
    assert stats.dropped_s == pytest.approx(accepted.count(False) * 0.1)
    engine.go.set()
    assert collected.worker.drain(WAIT_S)
    assert collected.worker.submit(AudioChunk(tone(0.1), 2_600_000_000))
    collected.worker.finish()
    assert collected.worker.drain(WAIT_S)
    collected.worker.stop()
    assert any(e.audio_gap for e in collected.events if isinstance(e, Transcript) and e.is_final)


def test_a_failure_is_reported_and_the_stream_goes_on() -> None:
    collected = Collected(FailingEngine())
    collected.worker.start()
    collected.worker.submit(AudioChunk(tone(1.0), 0))
    collected.worker.finish()
    collected.worker.submit(AudioChunk(tone(1.0), 5_000_000_000))
    collected.worker.finish()
    assert collected.worker.drain(WAIT_S)
    collected.worker.stop()
    assert [type(e) for e in collected.errors] == [EngineError]
    assert collected.worker.stats().failures == 1
    assert len(collected.texts) >= 1


def test_blocking_submit_waits_instead_of_dropping() -> None:
    collected = Collected(ScriptedEngine(), capacity_s=0.3)
    collected.worker.start()
    for chunk in chunks(3.0):
        collected.worker.submit_blocking(chunk)
    assert collected.worker.drain(WAIT_S)
    stats = collected.worker.stats()
    collected.worker.stop()
    assert stats.dropped_s == 0
    assert stats.processed_s == pytest.approx(3.0)


def test_reset_throws_away_what_waits() -> None:
    engine = BlockedEngine()
    collected = Collected(engine)
    collected.worker.start()
    for chunk in chunks(1.0):
        collected.worker.submit(chunk)
    assert engine.entered.wait(WAIT_S)
    for chunk in chunks(5.0, 1_000_000_000):
        collected.worker.submit(chunk)
    collected.worker.reset()
    engine.go.set()
    assert collected.worker.drain(WAIT_S)
    assert collected.worker.stats().processed_s < 2.0
    assert collected.texts == []
    collected.worker.stop()


def test_stop_wakes_a_producer_that_waits() -> None:
    engine = BlockedEngine()
    collected = Collected(engine, capacity_s=0.6)
    collected.worker.start()
    for chunk in chunks(0.6):
        collected.worker.submit_blocking(chunk)
    assert engine.entered.wait(WAIT_S)
    done = threading.Event()

    def produce() -> None:
        for chunk in chunks(2.0, 600_000_000):
            collected.worker.submit_blocking(chunk)
        done.set()

    threading.Thread(target=produce, daemon=True).start()
    engine.go.set()
    collected.worker.stop(WAIT_S)
    assert done.wait(WAIT_S)


def test_starting_twice_is_an_error_and_stopping_twice_is_none() -> None:
    collected = Collected(ScriptedEngine())
    collected.worker.start()
    with pytest.raises(WorkerError, match="running already"):
        collected.worker.start()
    collected.worker.stop()
    collected.worker.stop()
    collected.worker.start()
    collected.worker.submit(AudioChunk(quiet(0.1), 0))
    assert collected.worker.drain(WAIT_S)
    collected.worker.stop()


class Attentive(SpeechSession):
    """Notes which chunks could bring drafts."""

    def __init__(self, engine: ScriptedEngine) -> None:
        super().__init__(Recognizer(engine, PieceTokenizer()), LoudnessDetector())
        self.drafts: list[bool] = []

    def push(self, chunk: AudioChunk, *, partials: bool = True) -> list[Event]:
        self.drafts.append(partials)
        return super().push(chunk, partials=partials)


def test_drafts_are_left_out_while_more_than_half_a_second_waits() -> None:
    engine, events = BlockedEngine(), list[Event]()
    session = Attentive(engine)
    worker = Worker(session, lambda event, _: events.append(event), pytest.fail)
    worker.start()
    for chunk in chunks(0.6):
        worker.submit(chunk)
    assert engine.entered.wait(WAIT_S)
    begun = len(session.drafts)
    for chunk in chunks(2.0, 600_000_000):
        worker.submit(chunk)
    engine.go.set()
    assert worker.drain(WAIT_S)
    left_out = session.drafts[begun:].count(False)
    assert session.drafts[begun:] == [False] * left_out + [True] * 5  # the last five found little behind them
    worker.submit(AudioChunk(tone(0.1), 2_600_000_000))
    assert worker.drain(WAIT_S)
    assert session.drafts[-1]
    worker.stop()


def test_calls_take_their_turn_behind_the_sound() -> None:
    collected = Collected(ScriptedEngine())
    worker = collected.worker
    for chunk in chunks(1.0):
        worker.submit(chunk)
    worker.finish()
    worker.start()
    assert worker.in_turn(lambda: list(collected.texts)).result(WAIT_S) == collected.texts != []
    failing = worker.in_turn(lambda: 1 // 0)
    assert isinstance(failing.exception(WAIT_S), ZeroDivisionError)
    assert worker.stats().failures == 0
    worker.stop()


def test_a_task_lets_the_sound_that_comes_meanwhile_go_first() -> None:
    collected = Collected(ScriptedEngine())
    worker = collected.worker
    entered, go = threading.Event(), threading.Event()
    texts: list[list[str]] = []

    def task() -> str:
        entered.set()
        assert go.wait(WAIT_S)
        texts.append(list(collected.texts))
        worker.breathe()
        texts.append(list(collected.texts))
        return "done"

    worker.start()
    first, second = worker.in_pauses(task), worker.in_pauses(lambda: "second")
    assert entered.wait(WAIT_S)
    for chunk in chunks(1.0):
        worker.submit(chunk)
    worker.finish()
    go.set()
    assert worker.drain(WAIT_S)
    assert (first.result(WAIT_S), second.result(WAIT_S)) == ("done", "second")
    assert texts[0] == []
    assert texts[1] == collected.texts != []
    worker.stop()


def test_stopping_ends_a_task_and_cancels_what_waits() -> None:
    worker = Collected(ScriptedEngine()).worker
    entered, go = threading.Event(), threading.Event()

    def endless() -> None:
        entered.set()
        go.wait(0.01)
        while True:
            worker.breathe()

    worker.start()
    running = worker.in_pauses(endless)
    waiting = worker.in_pauses(lambda: None)
    assert entered.wait(WAIT_S)
    worker.stop()
    assert isinstance(running.exception(WAIT_S), WorkerError)
    assert waiting.cancelled()
    assert isinstance(worker.in_turn(lambda: None).exception(WAIT_S), WorkerError)


def test_another_session_takes_over_and_the_counts_begin_anew() -> None:
    collected = Collected(ScriptedEngine())
    worker = collected.worker
    worker.start()
    for _ in range(2):
        session = SpeechSession(Recognizer(ScriptedEngine(), PieceTokenizer()), LoudnessDetector())
        worker.attach(session, 5.0)
        assert worker.drain(WAIT_S)
        assert worker.stats().processed_s == 0
        for chunk in chunks(1.0):
            worker.submit(chunk)
        worker.finish()
        assert worker.drain(WAIT_S)
        assert worker.stats().processed_s == pytest.approx(1.0)
    worker.stop()
    assert len(collected.texts) == 2


def test_a_reset_forgets_sound_but_no_call() -> None:
    worker = Collected(ScriptedEngine()).worker
    worker.start()
    call = worker.in_turn(lambda: "called")
    worker.reset()
    assert call.result(WAIT_S) == "called"
    worker.stop()
