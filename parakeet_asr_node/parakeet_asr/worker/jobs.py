"""What waits for the worker's thread: bounded, in order, and accounted for."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any, TypeVar

from parakeet_asr.errors import WorkerError
from parakeet_asr.records import SAMPLE_RATE_HZ, AudioChunk, EndReason

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class WorkerStats:
    """What became of the audio so far."""

    queued_s: float  # audio that waits
    dropped_s: float  # audio lost because the queue was full
    processed_s: float  # audio that the session has heard
    busy_s: float  # wall time spent on it
    failures: int  # chunks or commands that raised


@dataclass(frozen=True, slots=True)
class Sound:
    """A chunk for the session."""

    chunk: AudioChunk
    arrived_s: float = field(default_factory=time.monotonic)


@dataclass(frozen=True, slots=True)
class Finish:
    """End the open utterance."""

    reason: EndReason
    arrived_s: float = field(default_factory=time.monotonic)


@dataclass(frozen=True, slots=True)
class Reset:
    """Forget the open utterance."""


@dataclass(frozen=True, slots=True)
class Call:
    """A function, and a future for who waits for its result."""

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


Job = Sound | Finish | Reset | Call


class _State(Enum):
    NEW = auto()
    OPEN = auto()
    CLOSED = auto()


class JobQueue:
    """Jobs in order, bounded in seconds of sound, and tasks for the pauses between them.

    A chunk that does not fit is dropped and counted, and the next one that fits is marked as coming after
    missing samples. Commands always fit. Every method may be called from any thread.
    """

    def __init__(self, capacity_s: float) -> None:
        """Hold ``capacity_s`` of sound; closed for calls until :meth:`open`."""
        self._changed = threading.Condition()
        self._jobs: deque[Job] = deque()
        self._tasks: deque[Call] = deque()
        self._state = _State.NEW
        self._working = False  # a job was taken and is not done
        self._lost = False  # samples were dropped since the last chunk that fitted
        self._capacity_samples = round(capacity_s * SAMPLE_RATE_HZ)
        self._queued = self._dropped = self._processed = 0  # samples
        self._busy_s = 0.0
        self._failures = 0

    @property
    def closed(self) -> bool:
        """Whether nobody takes what is put in any more."""
        return self._state is _State.CLOSED

    # --- for those who put something in ----------------------------------------------------------

    def put_sound(self, chunk: AudioChunk) -> bool:
        """Queue a chunk without ever waiting; False (and counted) when it had to be dropped."""
        with self._changed:
            if self._queued + len(chunk.samples) > self._capacity_samples:
                self._dropped += len(chunk.samples)
                self._lost = True
                return False
            self._append_sound(chunk)
            return True

    def put_sound_blocking(self, chunk: AudioChunk) -> None:
        """Queue a chunk as soon as it fits, or the queue is empty or closed."""
        with self._changed:
            self._changed.wait_for(
                lambda: (
                    not self._queued
                    or self.closed
                    or self._queued + len(chunk.samples) <= self._capacity_samples
                )
            )
            self._append_sound(chunk)

    def put_command(self, command: Finish | Reset) -> None:
        """Queue a command behind everything; a reset throws away what it would make forgotten."""
        with self._changed:
            if isinstance(command, Reset):
                self._forget()
            self._jobs.append(command)
            self._changed.notify_all()

    def put_call(self, function: Callable[[], Result], *, in_pauses: bool) -> Future[Result]:
        """Queue a function behind the jobs, or for the pauses; its future fails where nobody would run it."""
        call = Call(function)
        with self._changed:
            if self._state is _State.OPEN:
                (self._tasks if in_pauses else self._jobs).append(call)
                self._changed.notify_all()
                return call.future
        call.future.set_exception(WorkerError("the recognition thread is not running"))
        return call.future

    def begin(self, capacity_s: float) -> None:
        """Throw sound and commands away, and count from 0."""
        with self._changed:
            self._forget()
            self._capacity_samples = round(capacity_s * SAMPLE_RATE_HZ)
            self._lost = False
            self._dropped = self._processed = 0
            self._busy_s = 0.0
            self._failures = 0

    def drain(self, timeout_s: float) -> bool:
        """Wait until all jobs are done; False when it took too long."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._jobs and not self._working, timeout_s)

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

    # --- for the one who takes -------------------------------------------------------------------

    def open(self) -> None:
        """Somebody takes from now on."""
        with self._changed:
            self._state = _State.OPEN

    def close(self) -> None:
        """Nobody takes any more: sound and commands are thrown away, calls and tasks cancelled."""
        with self._changed:
            self._state = _State.CLOSED
            calls = [job for job in (*self._jobs, *self._tasks) if isinstance(job, Call)]
            self._jobs.clear()
            self._tasks.clear()
            self._queued = 0
            self._changed.notify_all()
        for call in calls:  # outside of the lock: a future's callbacks may do anything
            call.future.cancel()

    def take_job(self) -> Job | None:
        """The next job, to be followed by :meth:`done`; None when none waits."""
        with self._changed:
            if self.closed or not self._jobs:
                return None
            job = self._jobs.popleft()
            self._working = True
            if isinstance(job, Sound):
                self._queued -= len(job.chunk.samples)
            self._changed.notify_all()
            return job

    def take_task(self) -> Call | None:
        """The next task; None when none waits."""
        with self._changed:
            return self._tasks.popleft() if self._tasks and not self.closed else None

    def done(self, job: Job, took_s: float, *, failed: bool) -> None:
        """Account for a job that was taken."""
        with self._changed:
            self._working = False
            self._failures += failed
            self._busy_s += took_s
            if isinstance(job, Sound):
                self._processed += len(job.chunk.samples)
            self._changed.notify_all()

    def wait(self) -> None:
        """Wait until something can be taken, or the queue is closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._jobs or self._tasks or self.closed)

    @property
    def queued_s(self) -> float:
        """Seconds of sound that wait."""
        return self._queued / SAMPLE_RATE_HZ

    def _append_sound(self, chunk: AudioChunk) -> None:
        if self._lost:
            chunk = AudioChunk(chunk.samples, chunk.stamp_ns, discontinuity=True)
            self._lost = False
        self._jobs.append(Sound(chunk))
        self._queued += len(chunk.samples)
        self._changed.notify_all()

    def _forget(self) -> None:
        """Throw sound and commands away, but nothing that somebody waits for."""
        calls = [job for job in self._jobs if isinstance(job, Call)]
        self._jobs.clear()
        self._jobs.extend(calls)
        self._queued = 0
