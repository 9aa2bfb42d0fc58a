"""What a stream of sound is fed to, whoever listens."""

from __future__ import annotations

from typing import Protocol

from parakeet_asr.core.session import SessionOptions
from parakeet_asr.core.timeline import Jump
from parakeet_asr.records import AudioChunk, EndReason, Event


class Session(Protocol):
    """The surface of :class:`parakeet_asr.core.session.SpeechSession`, which says what each one does."""

    @property
    def options(self) -> SessionOptions:
        """How the stream is cut into utterances."""
        ...

    @property
    def utterance_open(self) -> bool:
        """Whether somebody is speaking."""
        ...

    @property
    def jumps(self) -> int:
        """Gaps and overlaps so far."""
        ...

    @property
    def last_jump(self) -> Jump | None:
        """The last one."""
        ...

    def push(self, chunk: AudioChunk, *, partials: bool = True) -> list[Event]:
        """Take the next chunk; what happened, in order."""
        ...

    def finish(self, reason: EndReason) -> list[Event]:
        """End the open utterance now."""
        ...

    def set_options(self, options: SessionOptions) -> None:
        """Go on with other options."""
        ...

    def reset(self) -> None:
        """Forget everything."""
        ...
