"""One thread that owns the model and the session; everybody else only puts things into its queues.

Sound and commands are done in the order in which they came. Tasks, which need the model for longer (a
recording is transcribed), are done when no sound waits, and let sound go first again and again.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, TypeVar

from parakeet_asr.core.session_contract import Session
from parakeet_asr.errors import WorkerError
from parakeet_asr.records import SAMPLE_RATE_HZ, AudioChunk, EndReason, Event

Result = TypeVar("Result")
Publish = Callable[[Event, float], None]
"""Called on the worker's thread with an event and the seconds since its last sample arrived."""

_BUSY_S = 0.5  # with more than this waiting, drafts are not worth their time


@dataclass(frozen=True, slots=True)
class WorkerStats:
    """What became of the audio so far."""

    queued_s: float  # audio that waits
    dropped_s: float  # audio lost because the queue was full
    processed_s: float  # audio that the session has heard
    busy_s: float  # wall time spent on it
    failures: int  # chunks or commands that raised


@dataclass(frozen=True, slots=True)
class _Audio:
    chunk: AudioChunk
    arrived_s: float  # time.monotonic


@dataclass(frozen=True, slots=True)
class _Finish:
    reason: EndReason
    arrived_s: float


@dataclass(frozen=True, slots=True)
class _Reset:
    pass


@dataclass(frozen=True, slots=True)
class _Call:
    function: Callable[[], Any]
    future: Future[Any] = field(default_factory=Future)

    def run(self) -> None:
        """Call, unless nobody waits any more; what is raised goes to who waits."""
        if not self.future.set_running_or_notify_cancel():
            return
        try:
            self.future.set_result(self.function())
        except Exception as error:
            self.future.set_exception(error)


_Job = _Audio | _Finish | _Reset | _Call


class Worker:
    """Feeds a session from a bounded queue, in the order in which things came.

    The queue is bounded in seconds of audio. A chunk that does not fit is dropped and counted, and the
    next one that fits is marked as coming after missing samples. Commands always fit.
    """

    def __init__(
        self,
        session: Session | None,
        publish: Publish,
        on_error: Callable[[Exception], None],
        capacity_s: float = 30.0,
    ) -> None:
        """Publish events of ``session`` by ``publish``; failures of a job go to ``on_error``.

        Without a session sound falls on deaf ears until :meth:`attach`.
        """
        self._session = session
        self._publish = publish
        self._on_error = on_error
        self._capacity_samples = round(capacity_s * SAMPLE_RATE_HZ)
        self._jobs: deque[_Job] = deque()
        self._tasks: deque[_Call] = deque()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._stopping = False
        self._working = False
        self._lost = False  # samples were dropped since the last chunk that fitted
        self._queued = self._dropped = self._processed = 0  # samples
        self._busy_s = 0.0
        self._failures = 0

    def start(self) -> None:
        """Start the thread."""
        if self._thread is not None:
            raise WorkerError("the worker is running already; stop it before it is started again")
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="parakeet_asr_worker", daemon=True)
        self._thread.start()

    def attach(self, session: Session, capacity_s: float) -> None:
        """Feed another session with the sound that comes from now on; the counts begin anew."""

        def change() -> None:
            self._session = session

        with self._changed:
            self._forget_jobs()
            self._capacity_samples = round(capacity_s * SAMPLE_RATE_HZ)
            self._lost = False
            self._dropped = self._processed = self._failures = 0
            self._busy_s = 0.0
        self.in_turn(change)

    def in_turn(self, function: Callable[[], Result]) -> Future[Result]:
        """Call ``function`` on the worker's thread, behind what is queued; it should be short.

        The future fails with WorkerError or is cancelled when the thread ends before its turn.
        """
        return self._queue_call(self._jobs, function)

    def in_pauses(self, function: Callable[[], Result]) -> Future[Result]:
        """Call ``function`` on the worker's thread when nothing else waits, one at a time.

        It may take long if it calls :meth:`breathe` often. The future fails with WorkerError or is
        cancelled when the thread ends before its turn.
        """
        return self._queue_call(self._tasks, function)

    def breathe(self) -> None:
        """From within a task, where the model rests: do what came meanwhile.

        Raises:
            WorkerError: the thread is being stopped; the task should end.
        """
        while (job := self._next(self._jobs)) is not None:
            self._work(job)
        if self._stopping:
            raise WorkerError("the recognition thread was stopped")

    def submit(self, chunk: AudioChunk) -> bool:
        """Queue a chunk without ever waiting; False (and counted) when it had to be dropped."""
        with self._changed:
            if self._queued + len(chunk.samples) > self._capacity_samples:
                self._dropped += len(chunk.samples)
                self._lost = True
                return False
            self._put(chunk)
            return True

    def submit_blocking(self, chunk: AudioChunk) -> None:
        """Queue a chunk and wait until it fits: for sources that can wait, such as files."""
        with self._changed:
            self._changed.wait_for(
                lambda: (
                    not self._queued
                    or self._stopping
                    or self._queued + len(chunk.samples) <= self._capacity_samples
                )
            )
            self._put(chunk)

    def finish(self, reason: EndReason = EndReason.FINALIZED) -> None:
        """End the open utterance once everything queued before was heard."""
        with self._changed:
            self._jobs.append(_Finish(reason, time.monotonic()))
            self._changed.notify_all()

    def reset(self) -> None:
        """Throw away what is queued and forget the open utterance."""
        with self._changed:
            self._forget_jobs()
            self._jobs.append(_Reset())
            self._changed.notify_all()

    def drain(self, timeout_s: float) -> bool:
        """Wait until all sound and commands were processed; False when it took too long."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._jobs and not self._working, timeout_s)

    def stop(self, timeout_s: float = 10.0) -> None:
        """End the thread after the job in hand; what is still queued is thrown away or cancelled.

        Raises:
            WorkerError: the thread did not end in time.
        """
        thread = self._thread
        if thread is None:
            return
        with self._changed:
            self._stopping = True
            calls = [job for job in (*self._jobs, *self._tasks) if isinstance(job, _Call)]
            self._jobs.clear()
            self._tasks.clear()
            self._queued = 0
            self._changed.notify_all()
        for call in calls:  # outside of the lock: a future's callbacks may do anything
            call.future.cancel()
        thread.join(timeout_s)
        if thread.is_alive():
            raise WorkerError(f"the recognition thread did not end within {timeout_s} s; the engine hangs")
        self._thread = None

    def stats(self) -> WorkerStats:
        """A consistent snapshot."""
        with self._changed:
            return WorkerStats(
                queued_s=self._queued / SAMPLE_RATE_HZ,
                dropped_s=self._dropped / SAMPLE_RATE_HZ,
                processed_s=self._processed / SAMPLE_RATE_HZ,
                busy_s=self._busy_s,
                failures=self._failures,
            )

    def _put(self, chunk: AudioChunk) -> None:
        if self._lost:
            chunk = AudioChunk(chunk.samples, chunk.stamp_ns, discontinuity=True)
            self._lost = False
        self._jobs.append(_Audio(chunk, time.monotonic()))
        self._queued += len(chunk.samples)
        self._changed.notify_all()

    def _queue_call(self, queue: deque[Any], function: Callable[[], Result]) -> Future[Result]:
        call = _Call(function)
        with self._changed:
            if self._thread is not None and not self._stopping:
                queue.append(call)
                self._changed.notify_all()
                return call.future
        call.future.set_exception(WorkerError("the recognition thread is not running"))
        return call.future

    def _forget_jobs(self) -> None:
        """Throw sound and commands away, but nothing that somebody waits for."""
        calls = [job for job in self._jobs if isinstance(job, _Call)]
        self._jobs.clear()
        self._jobs.extend(calls)
        self._queued = 0

    def _run(self) -> None:
        while not self._stopping:
            if (job := self._next(self._jobs)) is not None:
                self._work(job)
            elif (task := self._next(self._tasks)) is not None:
                task.run()
            else:
                with self._changed:
                    self._changed.wait_for(lambda: self._jobs or self._tasks or self._stopping)

    def _work(self, job: _Job) -> None:
        began = time.monotonic()
        failed = False
        try:
            self._do(job)
        except Exception as error:  # whatever it was, the stream goes on
            failed = True
            self._on_error(error)
        with self._changed:
            self._working = False
            self._failures += failed
            self._busy_s += time.monotonic() - began
            if isinstance(job, _Audio):
                self._processed += len(job.chunk.samples)
            self._changed.notify_all()

    def _next(self, queue: deque[Any]) -> Any:
        with self._changed:
            if self._stopping or not queue:
                return None
            job = queue.popleft()
            self._working = queue is self._jobs
            if isinstance(job, _Audio):
                self._queued -= len(job.chunk.samples)
            self._changed.notify_all()
            return job

    def _do(self, job: _Job) -> None:
        if isinstance(job, _Call):
            job.run()
            return
        if self._session is None:
            return
        if isinstance(job, _Reset):
            self._session.reset()
            return
        if isinstance(job, _Audio):
            events = self._session.push(job.chunk, partials=self._queued < _BUSY_S * SAMPLE_RATE_HZ)
        else:
            events = self._session.finish(job.reason)
        for event in events:
            self._publish(event, time.monotonic() - job.arrived_s)
