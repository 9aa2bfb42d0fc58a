"""What a record says, its message says."""

from __future__ import annotations

from dataclasses import replace

from parakeet_asr_msgs import msg

from parakeet_asr.records import EndReason, Transcript, Word
from parakeet_asr.ros.messages import transcript_message

WORDS = ("go", "to", "the", "dock")
PARTIAL = Transcript(
    utterance_id="7",
    revision=3,
    is_final=False,
    text="go to the dock",
    stable_words=1,
    agreed_words=2,
    words=tuple(Word(text, 0.1 * i, 0.1 * i + 0.08, 0.5) for i, text in enumerate(WORDS)),
    start_ns=1_500_000_000,
    duration_s=1.25,
    confidence=0.75,
    end_reason=None,
)


def message(transcript: Transcript) -> msg.Transcript:
    return transcript_message(transcript, frame_id="mic", source="/audio", language="en", latency_s=0.25)


def test_a_partial() -> None:
    found = message(PARTIAL)
    assert (found.header.stamp.sec, found.header.stamp.nanosec, found.header.frame_id) == (
        1,
        500_000_000,
        "mic",
    )
    assert (found.utterance_id, found.revision, found.is_final, found.text) == ("7", 3, False, PARTIAL.text)
    assert (found.stable_words, found.agreed_words, len(found.words)) == (1, 2, 4)
    assert [word.text for word in found.words] == PARTIAL.text.split()
    assert (found.source, found.language, found.confidence) == ("/audio", "en", 0.75)
    assert (found.audio_duration.sec, found.audio_duration.nanosec) == (1, 250_000_000)
    assert (found.latency.sec, found.latency.nanosec) == (0, 250_000_000)
    assert found.end_reason == msg.Transcript.END_NONE


def test_a_final_and_its_marks() -> None:
    final = replace(PARTIAL, is_final=True, end_reason=EndReason.FORCED, audio_gap=True)
    found = message(final)
    assert (found.is_final, found.end_reason) == (True, msg.Transcript.END_FORCED)
    assert (found.audio_gap, found.recovered, found.echo) == (True, False, False)
    assert message(replace(final, recovered=True, echo=True)).recovered
    assert message(replace(final, echo=True)).echo
