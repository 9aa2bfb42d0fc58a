"""``parakeet-asr stream``: a recording or raw sound on stdin, as a live stream; JSON lines come out."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from parakeet_asr.cli.phrases import NO_PHRASES, PhraseRequest, listen_for
from parakeet_asr.core.choices import DeviceName, EngineName
from parakeet_asr.core.session import SessionOptions, SpeechSession
from parakeet_asr.loader import load_model
from parakeet_asr.records import (
    SAMPLE_RATE_HZ,
    AudioChunk,
    EndReason,
    Event,
    FloatArray,
    JsonObject,
    Transcript,
)
from parakeet_asr.sources.audio_file import open_audio
from parakeet_asr.sources.pcm import decode_pcm

STDIN = "-"
_S16_BYTES = 2


@dataclass(frozen=True, slots=True)
class StreamRequest:
    """What the command line asked for."""

    file: str  # "-": raw 16 kHz mono S16LE on stdin
    model: str
    engine: EngineName
    engine_device: DeviceName
    threads: int | None
    realtime: bool
    block_s: float  # size of the chunks that are pushed
    options: SessionOptions
    phrases: PhraseRequest = NO_PHRASES


def stream(request: StreamRequest) -> None:
    """Push the sound through a session and print a JSON line for every partial and final.

    Raises:
        AudioReadError: the file cannot be decoded.
        ModelError, EngineError: the model cannot be loaded.
        ConfigurationError: the options exclude each other.
    """
    with load_model(
        request.model, engine=request.engine, device=request.engine_device, threads=request.threads
    ) as model:
        listen_for(model, request.phrases)
        model.warm_up()
        session = model.session(request.options)
        with closing(_blocks(request)) as blocks:
            _play(session, blocks, request.realtime)


def event_json(transcript: Transcript, start_ns: int, audio_s: float, latency_s: float) -> str:
    """One partial or final as a JSON line.

    Args:
        transcript: the message.
        start_ns: capture time from which seconds are counted.
        audio_s: seconds of sound that had been pushed.
        latency_s: seconds since the last of them arrived.
    """
    offset_s = (transcript.start_ns - start_ns) / 1e9
    line: JsonObject = {
        "event": "final" if transcript.is_final else "partial",
        "utterance_id": transcript.utterance_id,
        "revision": transcript.revision,
        "text": transcript.text,
        "stable_words": transcript.stable_words,
        "agreed_words": transcript.agreed_words,
        "words": [
            {
                "text": word.text,
                "start_s": round(offset_s + word.start_s, 3),
                "end_s": round(offset_s + word.end_s, 3),
                "confidence": round(word.confidence, 4),
            }
            for word in transcript.words
        ],
        "start_s": round(offset_s, 3),
        "end_s": round(offset_s + transcript.duration_s, 3),
        "audio_s": round(audio_s, 3),
        "latency_s": round(latency_s, 4),
    }
    if transcript.end_reason is not None:
        line["end_reason"] = transcript.end_reason.name.lower()
    line.update({name: True for name in ("audio_gap", "recovered") if getattr(transcript, name)})
    return json.dumps(line, ensure_ascii=False)


def _play(session: SpeechSession, blocks: Iterator[FloatArray], realtime: bool) -> None:
    began_s = time.monotonic()
    samples = 0
    arrived_s = began_s
    for block in blocks:
        chunk = AudioChunk(block, samples * 1_000_000_000 // SAMPLE_RATE_HZ)
        samples += len(block)
        if realtime:  # a chunk has arrived when its last sample was spoken
            arrived_s = began_s + samples / SAMPLE_RATE_HZ
            time.sleep(max(0.0, arrived_s - time.monotonic()))
        else:
            arrived_s = time.monotonic()
        _print(session.push(chunk), samples, arrived_s)
    _print(session.finish(EndReason.STREAM), samples, arrived_s)


def _print(events: list[Event], samples: int, arrived_s: float) -> None:
    for event in events:
        if isinstance(event, Transcript):
            latency_s = time.monotonic() - arrived_s
            print(event_json(event, 0, samples / SAMPLE_RATE_HZ, latency_s), flush=True)


def _blocks(request: StreamRequest) -> Generator[FloatArray, None, None]:
    if request.file == STDIN:
        yield from _raw_blocks(sys.stdin.buffer, request.block_s)
        return
    with open_audio(Path(request.file)) as audio:
        yield from audio.blocks(request.block_s)


def _raw_blocks(pipe: BinaryIO, block_s: float) -> Iterator[FloatArray]:
    """Blocks of S16LE; a last odd byte is no sample and is left."""
    size = max(1, round(block_s * SAMPLE_RATE_HZ)) * _S16_BYTES
    while data := pipe.read(size):
        yield decode_pcm(data[: len(data) // _S16_BYTES * _S16_BYTES], "S16LE", 1)
