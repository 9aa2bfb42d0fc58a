"""One thread that owns the session; everybody else only puts things into its bounded queue."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from parakeet_asr.core.session import SpeechSession
from parakeet_asr.errors import WorkerError
from parakeet_asr.records import SAMPLE_RATE_HZ, AudioChunk, EndReason, Event

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


_Job = _Audio | _Finish | _Reset


class Worker:
    """Feeds a session from a bounded queue, in the order in which things came.

    The queue is bounded in seconds of audio. A chunk that does not fit is dropped and counted, and the
    next one that fits is marked as coming after missing samples. Commands always fit.
    """

    def __init__(
        self,
        session: SpeechSession,
        publish: Publish,
        on_error: Callable[[Exception], None],
        capacity_s: float = 30.0,
    ) -> None:
        """Publish events of ``session`` by ``publish``; failures of a job go to ``on_error``."""
        self._session = session
        self._publish = publish
        self._on_error = on_error
        self._capacity_samples = round(capacity_s * SAMPLE_RATE_HZ)
        self._jobs: deque[_Job] = deque()
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
            self._jobs.clear()
            self._queued = 0
            self._jobs.append(_Reset())
            self._changed.notify_all()

    def drain(self, timeout_s: float) -> bool:
        """Wait until everything queued was processed; False when it took too long."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._jobs and not self._working, timeout_s)

    def stop(self, timeout_s: float = 10.0) -> None:
        """End the thread after the job in hand; what is still queued is thrown away.

        Raises:
            WorkerError: the thread did not end in time.
        """
        thread = self._thread
        if thread is None:
            return
        with self._changed:
            self._stopping = True
            self._jobs.clear()
            self._queued = 0
            self._changed.notify_all()
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

    def _run(self) -> None:
        while (job := self._take()) is not None:
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

    def _take(self) -> _Job | None:
        with self._changed:
            self._changed.wait_for(lambda: self._jobs or self._stopping)
            if self._stopping:
                return None
            job = self._jobs.popleft()
            self._working = True
            if isinstance(job, _Audio):
                self._queued -= len(job.chunk.samples)
            self._changed.notify_all()
            return job

    def _do(self, job: _Job) -> None:
        if isinstance(job, _Reset):
            self._session.reset()
            return
        if isinstance(job, _Audio):
            events = self._session.push(job.chunk, partials=self._queued < _BUSY_S * SAMPLE_RATE_HZ)
        else:
            events = self._session.finish(job.reason)
        for event in events:
            self._publish(event, time.monotonic() - job.arrived_s)
