"""The thread that feeds a session from the queue."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

from parakeet_asr.core.session_contract import Session
from parakeet_asr.errors import WorkerError
from parakeet_asr.records import AudioChunk, EndReason, Event
from parakeet_asr.worker.jobs import Call, Finish, Job, JobQueue, Reset, Sound, WorkerStats

Result = TypeVar("Result")
Publish = Callable[[Event, float], None]
"""Called on the worker's thread with an event and the seconds since its last sample arrived."""

_BUSY_S = 0.5  # with more than this waiting, drafts are not worth their time


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
        self._queue = JobQueue(capacity_s)
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start the thread."""
        if self._thread is not None:
            raise WorkerError("the worker is running already; stop it before it is started again")
        self._queue.open()
        self._thread = threading.Thread(target=self._run, name="parakeet_asr_worker", daemon=True)
        self._thread.start()

    def attach(self, session: Session, capacity_s: float) -> None:
        """Feed another session with the sound that comes from now on; the counts begin anew."""

        def change() -> None:
            self._session = session

        self._queue.begin(capacity_s)
        self.in_turn(change)

    def in_turn(self, function: Callable[[], Result]) -> Future[Result]:
        """Call ``function`` on the worker's thread, behind what is queued; it should be short.

        The future fails with WorkerError or is cancelled when the thread ends before its turn.
        """
        return self._queue.put_call(function, in_pauses=False)

    def in_pauses(self, function: Callable[[], Result]) -> Future[Result]:
        """Call ``function`` on the worker's thread when nothing else waits, one at a time.

        It may take long if it calls :meth:`breathe` often. The future fails with WorkerError or is
        cancelled when the thread ends before its turn.
        """
        return self._queue.put_call(function, in_pauses=True)

    def breathe(self) -> None:
        """From within a task, where the model rests: do what came meanwhile.

        Raises:
            WorkerError: the thread is being stopped; the task should end.
        """
        while (job := self._queue.take_job()) is not None:
            self._work(job)
        if self._queue.closed:
            raise WorkerError("the recognition thread was stopped")

    def submit(self, chunk: AudioChunk) -> bool:
        """Queue a chunk without ever waiting; False (and counted) when it had to be dropped."""
        return self._queue.put_sound(chunk)

    def submit_blocking(self, chunk: AudioChunk) -> None:
        """Queue a chunk and wait until it fits: for sources that can wait, such as files."""
        self._queue.put_sound_blocking(chunk)

    def finish(self, reason: EndReason = EndReason.FINALIZED) -> None:
        """End the open utterance once everything queued before was heard."""
        self._queue.put_command(Finish(reason))

    def reset(self) -> None:
        """Throw away what is queued and forget the open utterance."""
        self._queue.put_command(Reset())

    def drain(self, timeout_s: float) -> bool:
        """Wait until all sound and commands were processed; False when it took too long."""
        return self._queue.drain(timeout_s)

    def stop(self, timeout_s: float = 10.0) -> None:
        """End the thread after the job in hand; what is still queued is thrown away or cancelled.

        Raises:
            WorkerError: the thread did not end in time.
        """
        thread = self._thread
        if thread is None:
            return
        self._queue.close()
        thread.join(timeout_s)
        if thread.is_alive():
            raise WorkerError(f"the recognition thread did not end within {timeout_s} s; the engine hangs")
        self._thread = None

    def stats(self) -> WorkerStats:
        """A consistent snapshot."""
        return self._queue.stats()

    def _run(self) -> None:
        while not self._queue.closed:
            if (job := self._queue.take_job()) is not None:
                self._work(job)
            elif (task := self._queue.take_task()) is not None:
                task.run()
            else:
                self._queue.wait()

    def _work(self, job: Job) -> None:
        began_s = time.monotonic()
        failed = False
        try:
            self._do(job)
        except Exception as error:  # whatever it was, the stream goes on
            failed = True
            self._on_error(error)
        self._queue.done(job, time.monotonic() - began_s, failed=failed)

    def _do(self, job: Job) -> None:
        if isinstance(job, Call):
            job.run()
            return
        if self._session is None:
            return
        if isinstance(job, Reset):
            self._session.reset()
            return
        if isinstance(job, Sound):
            events = self._session.push(job.chunk, partials=self._queue.queued_s < _BUSY_S)
        else:
            events = self._session.finish(job.reason)
        for event in events:
            self._publish(event, time.monotonic() - job.arrived_s)
