"""Between a source and the worker: the mute, and measurements for the diagnostics."""

from __future__ import annotations

import threading
from collections.abc import Callable

from parakeet_asr.core.mute import MuteBegan, MuteGate
from parakeet_asr.records import SAMPLE_RATE_HZ, AudioChunk, EndReason
from parakeet_asr.ros.health import InputMeter
from parakeet_asr.sources.source import AudioSink


class Intake:
    """A sink that measures everything and hands on what is not muted. May be called on any thread."""

    def __init__(self, sink: AudioSink, now_ns: Callable[[], int], on_mute: Callable[[], None]) -> None:
        """Hand on to ``sink``.

        Args:
            sink: the worker.
            now_ns: the clock that the stamps are compared with, nanoseconds.
            on_mute: called when all sound from before a mute was handed on.
        """
        self._sink = sink
        self._now_ns = now_ns
        self._on_mute = on_mute
        self._gate = MuteGate()
        self._lock = threading.Lock()
        self.meter = InputMeter()

    @property
    def muted_s(self) -> float:
        """Sound that was dropped because of a mute, seconds."""
        return self._gate.dropped_samples / SAMPLE_RATE_HZ

    def set_muted(self, muted: bool) -> None:
        """Begin or end a mute now."""
        with self._lock:
            (self._gate.mute if muted else self._gate.unmute)(self._now_ns())

    def submit(self, chunk: AudioChunk) -> bool:
        """Take a chunk without waiting; False when a part of it had to be dropped."""
        return self._hand_on(chunk, self._sink.submit)

    def submit_blocking(self, chunk: AudioChunk) -> None:
        """Take a chunk, after waiting for room."""

        def submit(piece: AudioChunk) -> bool:
            self._sink.submit_blocking(piece)
            return True

        self._hand_on(chunk, submit)

    def finish(self, reason: EndReason) -> None:
        """End the open utterance once everything given before was heard."""
        self._sink.finish(reason)

    def _hand_on(self, chunk: AudioChunk, submit: Callable[[AudioChunk], bool]) -> bool:
        self.meter.push(chunk.samples)
        with self._lock:
            passed = self._gate.push(chunk, self._now_ns())
        taken = True
        for piece in passed:
            if isinstance(piece, MuteBegan):
                self._on_mute()
            else:
                taken = submit(piece) and taken
        return taken
