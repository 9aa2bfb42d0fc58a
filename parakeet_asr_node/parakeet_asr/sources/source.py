"""The seam between where sound comes from and what listens to it."""

from __future__ import annotations

from typing import Protocol

from parakeet_asr.errors import AudioError
from parakeet_asr.records import AudioChunk, EndReason


class AudioSink(Protocol):
    """What a source needs of its listener; :class:`parakeet_asr.worker.Worker` is one."""

    def submit(self, chunk: AudioChunk) -> bool:
        """Take a chunk without waiting; False when it had to be dropped."""
        ...

    def submit_blocking(self, chunk: AudioChunk) -> None:
        """Take a chunk, after waiting for room: for sources that can wait."""
        ...

    def finish(self, reason: EndReason) -> None:
        """End the open utterance once everything given before was heard."""
        ...


class SourceObserver(Protocol):
    """Is told how a source fares, on whatever thread the source has."""

    def trouble(self, error: AudioError) -> None:
        """No sound can be delivered, until :meth:`recovered`; may be said again and again."""
        ...

    def recovered(self) -> None:
        """Sound is delivered again; may be said when there was no trouble."""
        ...


class AudioSource(Protocol):
    """Delivers chunks of mono sound at 16 kHz from :meth:`start` to :meth:`stop`."""

    @property
    def name(self) -> str:
        """Topic, file or device, for people."""
        ...

    @property
    def frame_id(self) -> str:
        """Coordinate frame of the microphone; empty when it is not known."""
        ...

    def start(self, sink: AudioSink) -> None:
        """Begin to deliver.

        Raises:
            AudioError: the source cannot be opened.
        """
        ...

    def stop(self) -> None:
        """Deliver nothing any more, also not from another thread, once this returns."""
        ...
