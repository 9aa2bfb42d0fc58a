"""Records and samples to messages."""

from __future__ import annotations

import numpy as np
from builtin_interfaces.msg import Duration, Time
from parakeet_asr_msgs import msg
from std_msgs.msg import Header

from parakeet_asr.records import SAMPLE_RATE_HZ, BargeIn, FloatArray, Transcript, Word

NANOSECONDS = 1_000_000_000


def time_message(stamp_ns: int) -> Time:
    """Nanoseconds since the epoch of the clock as a message."""
    seconds, nanoseconds = divmod(stamp_ns, NANOSECONDS)
    return Time(sec=seconds, nanosec=nanoseconds)


def duration_message(seconds: float) -> Duration:
    """Seconds as a message; the nanoseconds are never negative, as ROS wants it."""
    whole, nanoseconds = divmod(round(seconds * NANOSECONDS), NANOSECONDS)
    return Duration(sec=whole, nanosec=nanoseconds)


def stamp_ns(time: Time) -> int:
    """A message as nanoseconds since the epoch of the clock."""
    return int(time.sec) * NANOSECONDS + int(time.nanosec)


def audio_message(
    samples: FloatArray, start_ns: int, *, sequence: int = 0, frame_id: str = ""
) -> msg.AudioChunk:
    """A piece of sound, for who drives a microphone or a loudspeaker.

    Args:
        samples: [n] float32 at 16 kHz; what exceeds -1..1 is clipped.
        start_ns: capture time of the first one.
        sequence: grows by 1 with every piece; 0: unknown.
        frame_id: coordinate frame of the microphone.
    """
    message = msg.AudioChunk(
        header=Header(stamp=time_message(start_ns), frame_id=frame_id),
        sample_rate=SAMPLE_RATE_HZ,
        channels=1,
        encoding=msg.AudioChunk.ENCODING_S16LE,
        sequence=sequence,
    )
    message.data.frombytes((np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes())
    return message


def word_message(word: Word) -> msg.Word:
    """One word; its times count from the stamp of the transcript."""
    return msg.Word(
        text=word.text,
        start=duration_message(word.start_s),
        end=duration_message(word.end_s),
        confidence=float(word.confidence),
    )


def transcript_message(
    transcript: Transcript, *, frame_id: str, source: str, language: str, latency_s: float
) -> msg.Transcript:
    """A partial or the final of an utterance.

    Args:
        transcript: what was heard.
        frame_id: coordinate frame of the microphone.
        source: topic, file or device.
        language: what the model understands.
        latency_s: from the arrival of the last sample that was used to now.
    """
    reason = transcript.end_reason
    return msg.Transcript(
        header=Header(stamp=time_message(transcript.start_ns), frame_id=frame_id),
        utterance_id=transcript.utterance_id,
        revision=transcript.revision,
        is_final=transcript.is_final,
        text=transcript.text,
        stable_words=transcript.stable_words,
        agreed_words=transcript.agreed_words,
        words=[word_message(word) for word in transcript.words],
        confidence=float(transcript.confidence),
        audio_duration=duration_message(transcript.duration_s),
        latency=duration_message(latency_s),
        source=source,
        language=language,
        end_reason=msg.Transcript.END_NONE if reason is None else int(reason),
        audio_gap=transcript.audio_gap,
        recovered=transcript.recovered,
        echo=transcript.echo,
    )


def barge_in_message(event: BargeIn, frame_id: str) -> msg.BargeIn:
    """A person interrupts; ``frame_id`` is the coordinate frame of the microphone."""
    return msg.BargeIn(
        header=Header(stamp=time_message(event.stamp_ns), frame_id=frame_id),
        utterance_id=event.utterance_id,
        confidence=float(event.confidence),
        matched_word=event.matched_word,
    )
