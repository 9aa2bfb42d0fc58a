"""A made cache-aware model through the runtime: the stream, the session, and what is refused."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fakes import LoudnessDetector, quiet
from made_models import cache_aware_archive, cache_aware_model, speech
from parakeet_asr.core.cache_aware import CacheAwareStream
from parakeet_asr.core.longform import LongformOptions, recognize_stream
from parakeet_asr.core.recognizer import Recognizer
from parakeet_asr.core.session import SessionOptions, SpeechSession
from parakeet_asr.errors import ArchiveError, EngineError, ModelContractError
from parakeet_asr.loader import Model, load_model
from parakeet_asr.model_directory import resolve_model, sha256_of
from parakeet_asr.records import AudioChunk, EndReason, Event, FloatArray, Token, Transcript

DECODERS = ("tdt", "rnnt")
CHUNK_SAMPLES = 16 * 160


@pytest.fixture(scope="module", params=DECODERS)
def model(request: pytest.FixtureRequest) -> Iterator[Model]:
    with load_model(cache_aware_model(request.param), threads=1, guard=None) as loaded:
        yield loaded


def stream_of(recognizer: Recognizer, audio: FloatArray) -> CacheAwareStream:
    return CacheAwareStream(recognizer, lambda start, stop: audio[start:stop])


def streamed(model: Model, audio: FloatArray, arrivals: list[int]) -> tuple[Token, ...]:
    stream = stream_of(model.recognizer, audio)
    for available in sorted({min(a, len(audio)) for a in arrivals}):
        stream.advance(available)
    stream.flush(len(audio))
    return stream.committed


def same(found: tuple[Token, ...], expected: tuple[Token, ...]) -> bool:
    """Ids, times and durations; confidences differ by rounding."""
    return [(t.id, t.start_step, t.duration_steps) for t in found] == [
        (t.id, t.start_step, t.duration_steps) for t in expected
    ]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    begin=st.integers(0, 300_000),
    size=st.integers(0, 60_000),
    arrivals=st.lists(st.integers(0, 60_000), max_size=30),
)
def test_any_split_gives_what_transcribe_gives(
    model: Model, begin: int, size: int, arrivals: list[int]
) -> None:
    audio = speech()[begin : begin + size]
    found = streamed(model, audio, arrivals)
    assert found == streamed(model, audio, []), "the same audio, the same tokens to the last bit"
    assert same(found, model.transcribe(audio).tokens)


@pytest.mark.parametrize("samples", [0, 100, 160, 159 + 160, 9 * 160, 10 * 160, 9 * 160 + CHUNK_SAMPLES])
def test_every_kind_of_end(model: Model, samples: int) -> None:
    audio = speech()[:samples]
    stream = stream_of(model.recognizer, audio)
    stream.flush(samples)
    assert same(stream.committed, model.transcribe(audio).tokens)
    assert stream.committed_samples == samples


def test_drafts_show_the_begun_chunk_and_change_nothing(model: Model) -> None:
    audio = speech()[:48_000]
    plain, drafted = stream_of(model.recognizer, audio), stream_of(model.recognizer, audio)
    shown = 0
    for available in range(400, len(audio), 400):
        plain.advance(available)
        drafted.advance(available)
        shown += len(drafted.draft(available))
        assert drafted.committed == plain.committed
        assert drafted.committed_samples <= available
    assert shown > 0
    plain.flush(len(audio))
    drafted.flush(len(audio))
    assert plain.committed == drafted.committed


def test_words_are_committed_one_chunk_after_they_were_said(model: Model) -> None:
    audio = speech()[:64_000]
    stream = stream_of(model.recognizer, audio)
    for available in range(160, len(audio), 160):
        stream.advance(available)
        assert available - stream.committed_samples < CHUNK_SAMPLES + 400  # a chunk, and a frame's window


def test_an_utterance_that_ended_before_what_is_committed_keeps_what_is_before(model: Model) -> None:
    audio = speech()[:96_000]
    stream = stream_of(model.recognizer, audio)
    stream.advance(len(audio))
    end = len(audio) // 2
    committed = stream.committed
    expected = tuple(token for token in committed if token.start_step * model.recognizer.step_samples < end)
    assert len(committed) > len(expected) > 0
    assert stream.flush(end) == expected


def test_two_streams_of_one_engine_do_not_mix(model: Model) -> None:
    first, second = speech()[:40_000], speech()[100_000:140_000]
    streams = [stream_of(model.recognizer, audio) for audio in (first, second)]
    for available in range(1000, 40_001, 1000):
        for stream in streams:
            stream.advance(available)
    for stream, audio in zip(streams, (first, second), strict=True):
        stream.flush(len(audio))
        assert stream.committed == streamed(model, audio, [])


def test_a_reset_stream_is_a_new_one(model: Model) -> None:
    engine, spec = model.recognizer.engine, model.spec
    windows = np.random.default_rng(0).standard_normal((6, 1, spec.features.mels, 25)).astype(np.float32)
    windows[0, :, :, :16] = 0.0

    def run(stream: Any) -> list[np.ndarray]:
        return [stream.step(window, 25).projected.copy() for window in windows]

    stream = engine.open_stream()
    once = run(stream)
    stream.reset()
    again = run(stream)
    np.testing.assert_array_equal(once, again)
    np.testing.assert_array_equal(once, run(engine.open_stream()))


def test_pytorch_streams_the_same(model: Model) -> None:
    from parakeet_asr.engines.pytorch.engine import TorchEngine
    from parakeet_asr.engines.pytorch.model.transducer import load_transducer
    from parakeet_asr.nemo.archive import open_archive
    from parakeet_asr.nemo.config import parse_config

    with open_archive(cache_aware_archive(model.spec.decoder.kind)) as archive:
        torch_engine = TorchEngine(load_transducer(parse_config(archive.config), archive.weights))
        audio = speech()[:80_000]
        reference = stream_of(Recognizer(torch_engine, model.recognizer.tokenizer), audio)
        reference.flush(len(audio))
        assert same(streamed(model, audio, []), reference.committed)


def session_events(model: Model, audio: FloatArray, sizes: list[int]) -> list[Event]:
    session = SpeechSession(model.recognizer, LoudnessDetector(), SessionOptions(min_speech_s=0.1))
    events, position, turn = [], 0, 0
    while position < len(audio):
        size = sizes[turn % len(sizes)]
        stamp_ns = round(position * 62_500)
        events += session.push(AudioChunk(audio[position : position + size], stamp_ns))
        position, turn = position + size, turn + 1
    return events + session.finish(EndReason.STREAM)


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sizes=st.lists(st.integers(1, 20_000), min_size=1, max_size=5).filter(lambda s: sum(s) > 500 * len(s)))
def test_any_split_gives_the_same_events(model: Model, sizes: list[int]) -> None:
    audio = np.concatenate([speech()[:60_000], quiet(1.2), speech()[200_000:240_000], quiet(1.0)])
    events = session_events(model, audio, sizes)
    assert events == session_events(model, audio, [len(audio)])


def test_the_final_is_what_transcribe_gives(model: Model) -> None:
    """Exactly the samples that the final declares; and what was shown while it was open is in it."""
    audio = np.concatenate([speech()[:60_000], quiet(1.2), speech()[200_000:240_000], quiet(1.0)])
    messages = [e for e in session_events(model, audio, [1600]) if isinstance(e, Transcript)]
    finals = [message for message in messages if message.is_final]
    assert len(finals) >= 2
    for final in finals:
        start = round(final.start_ns * 16 / 1e6)
        heard = audio[start : start + round(final.duration_s * 16_000)]
        assert final.tokens == model.transcribe(heard).tokens
        assert same(streamed(model, heard, []), final.tokens)
        partials = [m for m in messages if m.utterance_id == final.utterance_id and not m.is_final]
        assert partials
        for partial in partials:  # committed words do not change any more, not even in the final
            stable = partial.words[: partial.stable_words]
            # a partial may have heard more than the final keeps: the silence that ended the utterance
            stable = [word.text for word in stable if word.end_s < final.duration_s - 0.2]
            assert stable == [word.text for word in final.words[: len(stable)]]


def test_another_chunk_size_is_refused_not_swallowed(model: Model) -> None:
    stream = model.recognizer.engine.open_stream()
    mels = model.spec.features.mels
    with pytest.raises(
        EngineError, match=r"expected a window of float32\[1, 128, 25\], got float32\[1, 128, 41\]"
    ):
        stream.step(np.zeros((1, mels, 41), np.float32), 41)


def test_an_offline_model_opens_no_stream() -> None:
    with (
        load_model("demo", threads=1) as demo,
        pytest.raises(EngineError, match="expected a cache_aware one"),
    ):
        demo.recognizer.engine.open_stream()


def test_a_graph_of_another_chunk_size_is_refused_when_loading(tmp_path: Path) -> None:
    """model.json that agrees with itself, and a graph that does not agree with it."""
    from dataclasses import replace

    from parakeet_asr.core.model_contract import parse_model_spec
    from parakeet_asr.core.model_spec import cache_aware_streaming, streaming_graph

    folder = tmp_path / "model"
    shutil.copytree(cache_aware_model("tdt"), folder)
    spec = parse_model_spec(json.loads((folder / "model.json").read_text()))
    spec = replace(spec, encoder=replace(spec.encoder, streaming=cache_aware_streaming(72, 2, 8, 8)))
    spec = replace(spec, graphs={**spec.graphs, "encoder_stream": streaming_graph(spec)})
    (folder / "model.json").write_text(json.dumps(spec.to_json()))
    with pytest.raises(
        ModelContractError, match=r"128, 25\](.|\n)*model.json says float32\['batch', 128, 33\]"
    ):
        load_model(folder)


def test_the_made_archive_is_the_same_every_time(tmp_path: Path) -> None:
    cache_aware_archive("tdt")  # skips where there are no tools
    from parakeet_asr_tools.making.presets import PRESETS
    from parakeet_asr_tools.making.random_model import make_archive

    calibration = make_archive(tmp_path / "again.nemo", PRESETS["cache-aware"], 0)
    assert sha256_of(tmp_path / "again.nemo") == sha256_of(cache_aware_archive("tdt"))
    assert 2.0 <= calibration.tokens_per_s <= 5.0


def test_the_demo_model_is_offline() -> None:
    assert "encoder_stream.onnx" not in {path.name for path in resolve_model("demo").iterdir()}


def test_padding_in_a_batch_leaks_into_nothing(model: Model) -> None:
    """Whole passes of different lengths side by side; an even count of frames ends in padding."""
    audio = [speech()[:n] for n in (48_000, 33_333, 20_480, 1600, 160)]
    for heard, samples in zip(model.transcribe(audio), audio, strict=True):
        assert same(heard.tokens, model.transcribe(samples).tokens)


def test_large_weights_are_stored_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both encoders read one file of external data, and answer as the model with everything inside."""
    cache_aware_archive("tdt")  # skips where there are no tools
    from parakeet_asr.nemo.archive import open_archive
    from parakeet_asr_tools.onnx_export import model_directory

    monkeypatch.setattr(model_directory, "EXTERNAL_ABOVE_BYTES", 0)
    with open_archive(cache_aware_archive("tdt")) as archive:
        model_directory.export_model(archive, tmp_path, model_directory.ExportOptions())
    inside = cache_aware_model("tdt")
    external = (tmp_path / "encoder.onnx.data").stat().st_size
    graphs = sum((tmp_path / f"{name}.onnx").stat().st_size for name in ("encoder", "encoder_stream"))
    one = (inside / "encoder.onnx").stat().st_size
    assert external + graphs < 1.5 * one
    audio = speech()[:40_000]
    with (
        load_model(tmp_path, threads=1, guard=None) as apart,
        load_model(inside, threads=1, guard=None) as whole,
    ):
        assert same(streamed(apart, audio, []), streamed(whole, audio, []))
        assert same(apart.transcribe(audio).tokens, whole.transcribe(audio).tokens)


def test_one_of_several_lookaheads_is_chosen(tmp_path: Path) -> None:
    """Published models are trained for several right contexts: each gives a directory of its own."""
    cache_aware_archive("tdt")  # skips where there are no tools
    import yaml

    from parakeet_asr.nemo.archive import open_archive
    from parakeet_asr_tools.nemo.writing import write_archive
    from parakeet_asr_tools.onnx_export.model_directory import ExportOptions, export_model

    several = tmp_path / "several.nemo"
    with open_archive(cache_aware_archive("tdt")) as archive:
        config = archive.config
        config["encoder"]["att_context_size"] = [[70, 13], [70, 6], [70, 1], [70, 0]]
        write_archive(several, yaml.safe_dump(config).encode(), archive.weights, archive.files)
    with open_archive(several) as archive:
        for right, chunk_frames in ((None, 112), (6, 56), (0, 8)):
            folder = tmp_path / str(right)
            spec = export_model(archive, folder, ExportOptions(right_context_steps=right))
            assert spec.encoder.streaming.chunk_frames == chunk_frames
            with load_model(folder, threads=1, guard=None) as model:
                audio = speech()[:50_000]
                assert same(streamed(model, audio, [10_000, 20_000]), model.transcribe(audio).tokens)
        with pytest.raises(ArchiveError, match="expected one that the model was trained for: 13, 6, 1, 0"):
            export_model(archive, tmp_path / "none", ExportOptions(right_context_steps=2))


def test_a_long_recording_is_what_one_pass_gives(model: Model) -> None:
    audio = np.concatenate([speech(), quiet(0.3)] * 3)
    sizes = LongformOptions(single_pass_s=4.0, piece_s=3.0, search_s=1.0, context_s=0.5)
    assert len(audio) > 4.0 * 16_000
    blocks = [audio[i : i + 5000] for i in range(0, len(audio), 5000)]
    long = recognize_stream(model.recognizer, blocks, sizes)
    whole = model.recognizer.recognize([audio])[0]
    assert long.token_ids == whole.token_ids
    assert [t.start_step for t in long.tokens] == [t.start_step for t in whole.tokens]
    assert long.duration_s == whole.duration_s
