"""Streams of a microphone and of a loudspeaker, cut into chunks in any way and fed in order of time."""

from __future__ import annotations

from fakes import LoudnessDetector, PieceTokenizer, ScriptedEngine
from parakeet_asr.core.duplex.options import DuplexOptions
from parakeet_asr.core.duplex.session import DuplexSession
from parakeet_asr.core.recognizer import Recognizer
from parakeet_asr.core.session import SessionOptions, SpeechSession
from parakeet_asr.records import AudioChunk, EndReason, Event, FloatArray, Transcript

START_NS = 1_700_000_000_000_000_000


def at(seconds: float) -> int:
    """Capture time so many seconds after the start."""
    return START_NS + round(seconds * 1e9)


def speech_session(**options: float) -> SpeechSession:
    return SpeechSession(
        Recognizer(ScriptedEngine(), PieceTokenizer()), LoudnessDetector(), SessionOptions(**options)
    )


def duplex(**options: object) -> DuplexSession:
    return DuplexSession(speech_session(), DuplexOptions(**options))  # type: ignore[arg-type]


def cut(samples: FloatArray, sizes: list[int], start_ns: int = START_NS) -> list[AudioChunk]:
    chunks, position, turn = [], 0, 0
    while position < len(samples):
        piece = samples[position : position + sizes[turn % len(sizes)]]
        chunks.append(AudioChunk(piece, start_ns + position * 62_500))
        position += len(piece)
        turn += 1
    return chunks


def feed(
    session: DuplexSession, microphone: list[AudioChunk], playback: list[AudioChunk] = ()
) -> list[Event]:  # type: ignore[assignment]
    """What is played reaches the session before the sound that may hold its echo does."""
    events: list[Event] = []
    waiting = list(playback)
    for chunk in microphone:
        end_ns = chunk.stamp_ns + len(chunk.samples) * 62_500
        while waiting and waiting[0].stamp_ns < end_ns:
            session.push_playback(waiting.pop(0))
        events += session.push(chunk)
    return events + session.finish(EndReason.STREAM)


def finals(events: list[Event]) -> list[Transcript]:
    return [e for e in events if isinstance(e, Transcript) and e.is_final]


def spoken_s(final: Transcript) -> tuple[float, float]:
    """When its words were said, in seconds after the start."""
    begin = (final.start_ns - START_NS) / 1e9
    return begin + final.words[0].start_s, begin + final.words[-1].end_s
