"""A recording played into a session by a virtual clock.

Sound arrives at the speed of sound, computing takes the time that it is measured to take, and nobody
waits: a message that needs the sound up to second 3 and 20 ms of computing is ready at 3.020, or later
when the session was still busy with what had come before. So latencies are those of a live stream,
though the measurement is as fast as the machine.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

from parakeet_asr.core.session import SpeechSession
from parakeet_asr.records import SAMPLE_RATE_HZ, AudioChunk, EndReason, Event, FloatArray, Transcript

CHUNK_S = 0.02  # what a microphone gives at a time


@dataclass(frozen=True, slots=True)
class Message:
    """An event and when it came."""

    event: Event
    audio_s: float  # sound that had arrived
    ready_s: float  # by the virtual clock: the same and computing


@dataclass(frozen=True, slots=True)
class Playback:
    """Everything one recording brought."""

    messages: tuple[Message, ...]
    audio_s: float
    compute_s: float

    @property
    def finals(self) -> list[Transcript]:
        """The finals, in order."""
        events = (one.event for one in self.messages)
        return [one for one in events if isinstance(one, Transcript) and one.is_final]

    def utterances(self) -> Iterator[list[tuple[Transcript, Message]]]:
        """The messages of each utterance, its final last."""
        groups: dict[str, list[tuple[Transcript, Message]]] = {}
        for one in self.messages:
            if isinstance(one.event, Transcript):
                groups.setdefault(one.event.utterance_id, []).append((one.event, one))
        yield from groups.values()


def play(
    session: SpeechSession, samples: FloatArray, chunk_s: float = CHUNK_S, *, partials: bool = True
) -> Playback:
    """Play [n] samples from stamp 0 on and finish the stream; ``partials`` as in ``session.push``.

    What computing takes is the time of the processor, so that neighbours on the machine do not count:
    right for a model on one thread.
    """
    session.reset()
    size = round(chunk_s * SAMPLE_RATE_HZ)
    messages: list[Message] = []
    free_s = compute_s = 0.0
    for start in range(0, len(samples) + size, size):
        chunk = samples[start : start + size]
        began_s = time.process_time()
        if len(chunk):
            stamp_ns = start * 1_000_000_000 // SAMPLE_RATE_HZ
            events = session.push(AudioChunk(chunk, stamp_ns), partials=partials)
        else:
            events = session.finish(EndReason.STREAM)
        took_s = time.process_time() - began_s
        compute_s += took_s
        audio_s = min(start + size, len(samples)) / SAMPLE_RATE_HZ
        free_s = max(free_s, audio_s) + took_s
        messages += [Message(event, audio_s, free_s) for event in events]
    return Playback(tuple(messages), len(samples) / SAMPLE_RATE_HZ, compute_s)
