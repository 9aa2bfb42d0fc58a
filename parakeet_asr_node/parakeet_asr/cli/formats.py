"""A transcription as text, JSON or subtitles."""

from __future__ import annotations

import json
from typing import Literal

from parakeet_asr.cli.captions import to_srt, to_vtt
from parakeet_asr.records import Transcription

Format = Literal["text", "json", "srt", "vtt"]

EXTENSIONS: dict[Format, str] = {"text": ".txt", "json": ".json", "srt": ".srt", "vtt": ".vtt"}


def render(transcription: Transcription, output_format: Format, audio: str, rtfx: float) -> str:
    """Write a transcription in one of the formats, with its last line's end.

    Args:
        transcription: what was heard.
        output_format: the format.
        audio: name of the recording, for JSON.
        rtfx: seconds of audio per second of work, for JSON.
    """
    if output_format == "json":
        return to_json(transcription, audio, rtfx) + "\n"
    if output_format == "srt":
        return to_srt(transcription.words)
    if output_format == "vtt":
        return to_vtt(transcription.words)
    return transcription.text + "\n"


def to_json(transcription: Transcription, audio: str, rtfx: float) -> str:
    """One JSON object in one line."""
    words = [
        {
            "text": word.text,
            "start_s": round(word.start_s, 3),
            "end_s": round(word.end_s, 3),
            "confidence": round(word.confidence, 4),
        }
        for word in transcription.words
    ]
    return json.dumps(
        {
            "audio": audio,
            "duration_s": round(transcription.duration_s, 4),
            "text": transcription.text,
            "tokens": transcription.token_ids,
            "words": words,
            "rtfx": round(rtfx, 2),
        },
        ensure_ascii=False,
    )
