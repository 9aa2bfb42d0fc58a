"""Streaming with the bundled model: token for token a plain left | chunk | right loop, and true finals."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from parakeet_asr.core.buffered import BufferedStream, WindowOptions
from parakeet_asr.core.decoding import DecoderState, initial_state
from parakeet_asr.core.engine import EncoderOutput
from parakeet_asr.core.recognizer import Recognizer
from parakeet_asr.core.session import SessionOptions
from parakeet_asr.loader import Model, load_model
from parakeet_asr.records import AudioChunk, EndReason, FloatArray, Token, Transcript
from parakeet_asr.sources.audio_file import read_audio

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = ROOT / "examples" / "samples"
SPEECH = ROOT.parent / "shared" / "speech"
STEP_SAMPLES = 1280
WINDOWS = [(10.0, 2.0, 2.0), (10.0, 1.0, 1.0), (2.0, 0.64, 0.32)]


def recordings(folder: Path) -> list[FloatArray]:
    lines = (folder / "manifest.jsonl").read_text(encoding="utf-8").splitlines()
    return [read_audio(folder / json.loads(line)["audio"]) for line in lines]


@pytest.fixture(scope="module")
def model() -> Iterator[Model]:
    with load_model("demo", threads=1) as loaded:
        yield loaded


@pytest.fixture(scope="module")
def bare() -> Iterator[Model]:
    with load_model("demo", threads=1, guard=None) as loaded:
        yield loaded


@pytest.fixture(scope="module")
def samples() -> list[FloatArray]:
    return recordings(SAMPLES)


def plain_stream(
    recognizer: Recognizer, audio: FloatArray, window: tuple[float, float, float]
) -> list[Token]:
    """The scheme as NeMo writes it down, for a recording that is there as a whole."""
    left, chunk, right = (int(s * 16_000) // STEP_SAMPLES * STEP_SAMPLES for s in window)
    tokens: list[Token] = []
    state: DecoderState = initial_state(recognizer.spec.decoder)
    committed, seen = 0, min(chunk + right, len(audio))
    while committed < len(audio):
        last = seen == len(audio)
        first = max(0, committed - left)
        features = recognizer.features.extract(audio[first:seen])
        if not features.shape[1]:
            break
        encoded = recognizer.engine.encode(features[None], np.array([features.shape[1]]))
        begin = (committed - first) // STEP_SAMPLES
        end = int(encoded.lengths[0]) if last else begin + chunk // STEP_SAMPLES
        steps = EncoderOutput(encoded.projected[:, begin:end], np.array([end - begin]))
        (decoded,) = recognizer.decode(steps, [state])
        tokens += decoded.tokens
        state = decoded.state
        committed = len(audio) if last else committed + chunk
        seen = min(seen + chunk, len(audio))
    return tokens


def buffered_stream(
    recognizer: Recognizer, audio: FloatArray, window: tuple[float, float, float], arrival_samples: int
) -> list[Token]:
    stream = BufferedStream(recognizer, lambda start, stop: audio[start:stop], WindowOptions(*window))
    for available in range(arrival_samples, len(audio), arrival_samples):
        stream.advance(available)
        stream.draft(available)
    stream.flush(len(audio))
    return list(stream.committed)


@pytest.mark.parametrize("window", WINDOWS)
def test_tokens_are_those_of_a_plain_loop(
    bare: Model, samples: list[FloatArray], window: tuple[float, float, float]
) -> None:
    written = 0
    for audio in samples:
        expected = plain_stream(bare.recognizer, audio, window)
        assert buffered_stream(bare.recognizer, audio, window, 15_000) == expected
        written += len(expected)
    assert written > 100


@pytest.mark.parity
@pytest.mark.parametrize("window", WINDOWS[:2])
def test_tokens_are_those_of_a_plain_loop_on_all_recordings(
    bare: Model, window: tuple[float, float, float]
) -> None:
    if not SPEECH.is_dir():
        pytest.skip(f"the large set of recordings is not here: {SPEECH}")
    for audio in recordings(SPEECH):
        streamed = buffered_stream(bare.recognizer, audio, window, len(audio))
        assert streamed == plain_stream(bare.recognizer, audio, window)


def play(model: Model, audio: FloatArray, options: SessionOptions) -> list[Transcript]:
    session = model.session(options)
    events = session.push(AudioChunk(audio, 0)) + session.finish(EndReason.STREAM)
    return [event for event in events if isinstance(event, Transcript)]


@pytest.fixture(scope="module")
def conversation(samples: list[FloatArray]) -> FloatArray:
    """All samples in a quiet room, half of them with pauses long enough for an endpoint."""
    rng = np.random.default_rng(0)
    parts = []
    for number, audio in enumerate(samples):
        pause = rng.standard_normal(16_000 if number % 2 else 3_200)
        parts += [audio, (1e-4 * pause).astype(np.float32)]
    return np.concatenate(parts)


CUTS = SessionOptions(partial_interval_s=0.0, silence_s=2.0, max_utterance_s=6.0)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (SessionOptions(partial_interval_s=0.0), EndReason.SILENCE),
        (CUTS, EndReason.FORCED),
    ],
)
def test_finals_are_what_transcribe_gives_for_exactly_their_samples(
    model: Model, conversation: FloatArray, options: SessionOptions, reason: EndReason
) -> None:
    finals = [one for one in play(model, conversation, options) if one.is_final]
    assert sum(one.end_reason is reason for one in finals) >= 3
    for final in finals:
        start = round(final.start_ns * 16_000 / 1e9)
        declared = conversation[start : start + round(final.duration_s * 16_000)]
        assert final.tokens == model.transcribe(declared).tokens


def test_words_of_a_stream_never_overlap(model: Model, conversation: FloatArray) -> None:
    messages = play(model, conversation, SessionOptions(partial_interval_s=0.96))
    words = [
        (one.start_ns / 1e9 + word.start_s, one.start_ns / 1e9 + word.end_s)
        for one in messages
        if one.is_final
        for word in one.words
    ]
    assert len(words) > 50
    for (_, end_s), (start_s, _) in itertools.pairwise(words):
        assert start_s >= end_s - 1e-6


@pytest.mark.parametrize("sizes_s", [(1.0, 1.0), (0.64, 0.4)])
def test_what_was_committed_behind_a_forced_cut_belongs_to_the_next_utterance(
    model: Model, conversation: FloatArray, sizes_s: tuple[float, float]
) -> None:
    """The cut looks back for a calm place, often behind which words are committed already."""
    options = replace(CUTS, chunk_s=sizes_s[0], right_s=sizes_s[1], final_window_s=0.0)
    finals = [one for one in play(model, conversation, options) if one.is_final]
    assert sum(one.end_reason is EndReason.FORCED for one in finals) >= 3
    for final in finals:
        assert all(token.start_step * model.recognizer.step_s < final.duration_s for token in final.tokens)


def test_partials_come_while_somebody_speaks_and_keep_their_promise(
    model: Model, conversation: FloatArray
) -> None:
    messages = play(model, conversation, SessionOptions(chunk_s=1.0, right_s=1.0))
    for utterance in {one.utterance_id for one in messages}:
        own = [one for one in messages if one.utterance_id == utterance]
        assert len(own) > 1, "a partial must come before the final"
        for before, after in itertools.pairwise(own):
            if not after.is_final:
                stable = [word.text for word in before.words[: before.stable_words]]
                assert [word.text for word in after.words[: before.stable_words]] == stable


def test_a_stable_word_that_the_final_keeps_keeps_its_times_within_a_step(
    model: Model, conversation: FloatArray
) -> None:
    messages = play(model, conversation, SessionOptions(partial_interval_s=0.96, chunk_s=2.0, right_s=2.0))
    finals = {one.utterance_id: one for one in messages if one.is_final}
    compared = 0
    for one in messages:
        for word, kept in zip(one.words[: one.stable_words], finals[one.utterance_id].words, strict=False):
            if word.text == kept.text:
                assert kept.start_s == pytest.approx(word.start_s, abs=model.recognizer.step_s + 1e-6)
                assert kept.end_s == pytest.approx(word.end_s, abs=model.recognizer.step_s + 1e-6)
                compared += 1
    assert compared > 50


def test_an_utterance_beyond_the_window_of_the_final_keeps_what_was_streamed(
    bare: Model, samples: list[FloatArray]
) -> None:
    """Long recordings: the final is what the stream commits of exactly its samples."""
    audio = np.concatenate(samples[:3])
    options = SessionOptions(partial_interval_s=0.0, final_window_s=2.5)
    finals = play(bare, audio, options)
    long = [one for one in finals if one.duration_s > options.final_window_s]
    assert long
    for final in long:
        start = round(final.start_ns * 16_000 / 1e9)
        declared = audio[start : start + round(final.duration_s * 16_000)]
        window = (options.left_s, options.chunk_s, options.right_s)
        assert list(final.tokens) == plain_stream(bare.recognizer, declared, window)


@pytest.mark.parametrize("kind", ["white", "brown", "clicks", "music", "breaths"])
def test_nothing_is_made_of_noise(model: Model, kind: str) -> None:
    noise = pytest.importorskip("parakeet_asr_tools.studies.noise")
    session = model.session()
    assert session.push(AudioChunk(noise.make(kind, 6.0, -20.0), 0)) == []
    assert session.finish(EndReason.STREAM) == []


@pytest.mark.parametrize("silence_s", [0.3, 1.1, 2.0])
def test_digital_silence_around_a_recording_never_empties_it(
    model: Model, samples: list[FloatArray], silence_s: float
) -> None:
    quiet = np.zeros(round(16_000 * silence_s), np.float32)
    short = sorted(samples, key=len)[:4]
    padded = [np.concatenate(parts) for one in short for parts in ((quiet, one), (one, quiet))]
    assert all(heard.text for heard in model.transcribe(padded))
