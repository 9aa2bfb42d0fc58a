"""TrtEngine on a made-up runtime: buffers, bindings, CUDA graphs, contracts and the self-check.

What runs below the seam is in fake_tensorrt.py; what TensorRT itself builds is in test_trt_build.py.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from fake_tensorrt import FakeDevice, FakePlan
from made_models import cache_aware_model, speech
from parakeet_asr.core.decoding import initial_state
from parakeet_asr.core.recognizer import Recognizer
from parakeet_asr.core.self_check import THRESHOLDS, judge, listen
from parakeet_asr.engines.ort import OrtEngine
from parakeet_asr.engines.trt import opening
from parakeet_asr.engines.trt.engine import TrtEngine
from parakeet_asr.engines.trt.limits import MachineLimits
from parakeet_asr.engines.trt.opening import stored_clips
from parakeet_asr.engines.trt.plan_files import PlanError, Platform, write_plan
from parakeet_asr.engines.trt.profiles import plan_graphs
from parakeet_asr.errors import EngineError
from parakeet_asr.model_directory import read_model_directory, resolve_model

DEMO = resolve_model("demo")
LIMITS = MachineLimits("fp32", max_batch=2, max_utterance_s=6.0, workspace_mb=64)
CUDA_MODULE = "parakeet_asr.engines.trt.cuda_device"
RUNTIME_MODULE = "parakeet_asr.engines.trt.runtime"
Spoil = Callable[[dict[str, Any]], None]


def open_engine(
    directory: Path = DEMO,
    device: FakeDevice | None = None,
    limits: MachineLimits = LIMITS,
    spoil: dict[str, Spoil] | None = None,
) -> TrtEngine:
    device = device or FakeDevice()
    spec = read_model_directory(directory)
    plans = {
        name: FakePlan(device, directory, spec, name, limits, (spoil or {}).get(name, lambda _: None))
        for name in plan_graphs(spec)
    }
    return TrtEngine(spec, dict(plans), device, "fake")


@pytest.fixture(scope="module")
def reference() -> OrtEngine:
    return OrtEngine(DEMO, read_model_directory(DEMO), threads=1)


def features(frames: int, batch: int = 1, seed: int = 0) -> np.ndarray[Any, np.dtype[np.float32]]:
    return np.random.default_rng(seed).standard_normal((batch, 128, frames)).astype(np.float32)


@pytest.mark.parametrize("is_unified", [False, True], ids=["gpu", "jetson"])
def test_it_answers_what_onnx_runtime_answers_also_when_graphs_are_replayed(
    reference: OrtEngine, is_unified: bool
) -> None:
    device = FakeDevice(is_unified=is_unified)
    engine = open_engine(device=device)
    for repetition in range(5):
        for frames in (333, 80, 7):
            x, n = features(frames, seed=repetition), np.array([frames])
            expected, got = reference.encode(x, n), engine.encode(x, n)
            assert got.lengths.tolist() == expected.lengths.tolist()
            np.testing.assert_allclose(got.projected, expected.projected, atol=2e-4)
    assert device.launches > 0
    assert (device.copies > 0) is not is_unified  # mapped memory is not copied


def test_the_steady_state_allocates_nothing(reference: OrtEngine) -> None:
    device = FakeDevice()
    engine = open_engine(device=device)
    spec = engine.spec.decoder
    state = initial_state(spec).predictor
    before = device.allocations
    for i in range(6):
        engine.encode(features(240, seed=i), np.array([240]))
        steps = np.random.default_rng(i).standard_normal((1, 8, spec.joint_hidden)).astype(np.float32)
        got = engine.step(steps, np.array([i]), state)
        expected = reference.step(steps, np.array([i]), state)
        np.testing.assert_allclose(got.logits, expected.logits, atol=1e-4)
        state = got.state
    assert device.allocations == before
    assert device.launches == 2 * 4  # of both plans, from the third time on


def test_batches_beyond_the_plan_go_in_several_passes(reference: OrtEngine) -> None:
    engine = open_engine()
    lengths = np.array([300, 211, 99, 298, 17])
    x = features(300, batch=5)
    for row, n in enumerate(lengths):
        x[row, :, n:] = 0
    expected, got = reference.encode(x, lengths), engine.encode(x, lengths)
    assert got.lengths.tolist() == expected.lengths.tolist()
    for row, steps in enumerate(expected.lengths):
        np.testing.assert_allclose(got.projected[row, :steps], expected.projected[row, :steps], atol=2e-4)
    spec = engine.spec.decoder
    hidden = np.random.default_rng(0).standard_normal((2, 2, 5, spec.predictor_hidden)).astype(np.float32)
    state = replace(initial_state(spec).predictor, hidden=hidden[0], cell=hidden[1])
    windows, tokens = got.projected[:, :4], np.array([0, 5, 9, spec.blank_id, 3])
    one, other = engine.step(windows, tokens, state), reference.step(windows, tokens, state)
    np.testing.assert_allclose(one.logits, other.logits, atol=1e-4)
    np.testing.assert_allclose(one.state.cell, other.state.cell, atol=1e-5)


def test_without_cuda_graphs_it_runs_all_the_same(reference: OrtEngine) -> None:
    device = FakeDevice(can_capture=False)
    engine = open_engine(device=device)
    for i in range(5):
        x = features(160, seed=i)
        got = engine.encode(x, np.array([160]))
        np.testing.assert_allclose(got.projected, reference.encode(x, np.array([160])).projected, atol=2e-4)
    assert device.launches == 0


def test_longer_than_the_plan_is_refused_with_what_to_do() -> None:
    engine = open_engine()
    with pytest.raises(EngineError, match=r"audio_signal(.|\n)*701(.|\n)*PARAKEET_MAX_UTTERANCE_S"):
        engine.encode(features(701), np.array([701]))
    engine.encode(features(700), np.array([700]))


def test_close_frees_and_says_so_afterwards() -> None:
    device = FakeDevice()
    engine = open_engine(device=device)
    engine.close()
    engine.close()
    assert device.closed
    with pytest.raises(EngineError, match="was closed"):
        engine.encode(features(80), np.array([80]))


def test_a_plan_of_another_model_is_refused_naming_both() -> None:
    spec = read_model_directory(DEMO)
    device = FakeDevice()
    plans = {name: FakePlan(device, DEMO, spec, name, LIMITS) for name in plan_graphs(spec)}
    plans["encoder"].tensors["encoder_output"] = plans["encoder"].tensors.pop("outputs")
    with pytest.raises(PlanError, match=r"encoder_output(.|\n)*model.json says(.|\n)*outputs"):
        TrtEngine(spec, dict(plans), device, "fake")
    plans = {name: FakePlan(device, DEMO, spec, name, LIMITS) for name in plan_graphs(spec)}
    logits = plans["decoder_step"].tensors["logits"]
    plans["decoder_step"].tensors["logits"] = replace(logits, shape=(-1, -1, 8198))
    with pytest.raises(PlanError, match=r"logits(.|\n)*8198(.|\n)*262"):
        TrtEngine(spec, dict(plans), device, "fake")


def wrong_length(outputs: dict[str, Any]) -> None:
    outputs["encoded_lengths"] -= 1


def not_a_number(outputs: dict[str, Any]) -> None:
    outputs["encoded_projected"][0, 3] = np.nan


@pytest.mark.parametrize(
    ("spoil", "message"), [(wrong_length, "encoder steps"), (not_a_number, "no numbers")]
)
def test_every_step_is_held_to_its_contract(spoil: Spoil, message: str) -> None:
    engine = open_engine(spoil={"encoder": spoil})
    with pytest.raises(EngineError, match=message):
        engine.encode(features(160), np.array([160]))


# --- self-check -----------------------------------------------------------------------------------


def shuffled(outputs: dict[str, Any]) -> None:
    """As in NVIDIA/TensorRT issue 4822: finite, of the right size, and wrong."""
    outputs["encoded_projected"] = np.random.default_rng(0).permuted(outputs["encoded_projected"], axis=2)


def noisy(amount: float) -> Spoil:
    def spoil(outputs: dict[str, Any]) -> None:
        for name in ("encoded_projected", "logits"):
            if name in outputs:
                random = np.random.default_rng(1).standard_normal(outputs[name].shape)
                outputs[name] += (amount * random).astype(np.float32)

    return spoil


@pytest.mark.parametrize(
    ("spoil", "passes", "reason"),
    [
        ({}, True, ""),
        ({"encoder": noisy(0.003)}, True, ""),
        ({"encoder": shuffled}, False, "encoder: cosine"),
        ({"encoder": noisy(0.5)}, False, "encoder: cosine"),
        ({"decoder_step": noisy(3.0)}, False, "decoder_step: cosine"),
    ],
    ids=["equal", "rounded", "silently wrong", "inexact encoder", "inexact decoder"],
)
def test_an_engine_is_proven_before_it_is_trusted(
    reference: OrtEngine, spoil: dict[str, Spoil], passes: bool, reason: str
) -> None:
    clips = stored_clips()[:2]
    expected = listen(reference, clips)
    assert sum(map(len, expected.tokens)) > 20  # it is speech
    answers = listen(open_engine(spoil=spoil), clips, forced=expected)
    report = judge(expected, answers, THRESHOLDS["fp16"])
    assert report.passed is passes, report.failures
    assert reason in "; ".join(report.failures)
    assert report.to_json()["stages"]["encoder"]["cosine"] == report.stages["encoder"].cosine


# --- cache-aware ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def streaming_directory() -> Path:
    return cache_aware_model("rnnt")


def test_a_stream_gives_what_onnx_runtime_gives_and_its_caches_stay(streaming_directory: Path) -> None:
    spec = read_model_directory(streaming_directory)
    device = FakeDevice()
    engine = open_engine(streaming_directory, device)
    other = OrtEngine(streaming_directory, spec, threads=1)
    clip = speech()[: 16_000 * 6]
    expected = listen(other, [clip])
    got = listen(engine, [clip], forced=expected)
    report = judge(expected, got, THRESHOLDS["fp32"])
    assert report.passed, report.failures
    assert "encoder_stream" in report.stages
    assert device.launches > 10


def test_two_turns_two_recordings_and_a_draft_changes_nothing(streaming_directory: Path) -> None:
    spec = read_model_directory(streaming_directory)
    streaming = spec.encoder.streaming
    device = FakeDevice()
    mine = open_engine(streaming_directory, device).open_stream()
    other = OrtEngine(streaming_directory, spec, threads=1).open_stream()
    before = device.allocations
    for signal in range(2):
        mine.reset()
        other.reset()
        window = np.zeros((1, spec.features.mels, streaming.window_frames), np.float32)
        for i in range(8):
            new = streaming.chunk_frames if i else streaming.first_chunk_frames
            window[:, :, -new:] = features(new, seed=10 * signal + i)[:, : spec.features.mels]
            length = streaming.window_frames
            mine.peek(window, length - 3)
            got, expected = mine.step(window, length), other.step(window, length)
            np.testing.assert_allclose(got.projected, expected.projected, atol=1e-4)
            window[:, :, : streaming.pre_encode_cache_frames] = window[
                :, :, -streaming.pre_encode_cache_frames :
            ].copy()
    assert device.allocations == before
    with pytest.raises(EngineError, match="another size would lose audio"):
        mine.step(window[:, :, 1:], length)


def test_streams_one_after_another_share_their_buffers(streaming_directory: Path) -> None:
    spec = read_model_directory(streaming_directory)
    device = FakeDevice()
    engine = open_engine(streaming_directory, device)
    window = np.zeros((1, spec.features.mels, spec.encoder.streaming.window_frames), np.float32)
    new = spec.encoder.streaming.first_chunk_frames
    window[:, :, -new:] = features(new)[:, : spec.features.mels]
    first = engine.open_stream()
    expected = first.step(window, window.shape[2]).projected.copy()
    other = engine.open_stream()  # at the same time: buffers of its own
    allocated = device.allocations
    np.testing.assert_array_equal(other.step(window, window.shape[2]).projected, expected)
    del first, other
    for _ in range(3):
        np.testing.assert_array_equal(engine.open_stream().step(window, window.shape[2]).projected, expected)
    assert device.allocations == allocated


def test_the_recognizer_runs_on_it(reference: OrtEngine) -> None:
    from parakeet_asr.tokenization import SentencePieceTokenizer

    spec = reference.spec
    tokenizer = SentencePieceTokenizer(DEMO / spec.tokenizer, spec.decoder.vocabulary_size)
    clips = stored_clips()
    expected = Recognizer(reference, tokenizer).recognize(clips)
    heard = Recognizer(open_engine(), tokenizer).recognize(clips)
    assert [one.text for one in heard] == [one.text for one in expected]
    assert "Remind me" in heard[0].text


@pytest.mark.parametrize("rebuild", [False, True])
def test_a_plan_that_fits_and_is_refused_all_the_same_is_built_again_where_that_is_wanted(
    tmp_path: Path, rebuild: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The made-up runtime takes only what was built here; device and TensorRT stand at their seams."""
    spec, device, built = read_model_directory(DEMO), FakeDevice(), []
    place = opening.Workplace(tmp_path, spec, LIMITS)
    platform = Platform("tensorrt", "10.3", "gpu", "8.7")
    for name in spec.graphs:
        (tmp_path / spec.graphs[name].file).write_bytes((DEMO / spec.graphs[name].file).read_bytes())
    for name in plan_graphs(spec):
        write_plan(place.plans, name, place.key(name, platform), b"of another driver")

    def plan(name: str, data: memoryview, stream: int) -> FakePlan:
        del stream
        if bytes(data) != b"good":
            raise PlanError(f"{name}: tensorrt refuses the plan")
        return FakePlan(device, DEMO, spec, name, LIMITS)

    def build(where: Any, name: str, built_for: Platform) -> Any:
        built.append(name)
        return write_plan(where.plans, name, where.key(name, built_for), b"good"), {}

    monkeypatch.setitem(sys.modules, CUDA_MODULE, SimpleNamespace(CudaDevice=lambda: device))
    monkeypatch.setitem(sys.modules, RUNTIME_MODULE, SimpleNamespace(TrtPlan=plan))
    monkeypatch.setattr(opening, "present_platform", lambda: platform)
    monkeypatch.setattr(opening, "build_graph", build)
    clips = stored_clips()[:1]
    if not rebuild:
        with pytest.raises(PlanError, match="refuses the plan"):
            opening.open_trt(tmp_path, spec, LIMITS, rebuild=False, clips=clips)
        assert device.closed
        return
    engine = opening.open_trt(tmp_path, spec, LIMITS, rebuild=True, clips=clips)
    assert built == list(plan_graphs(spec))
    assert engine.encode(features(80), np.array([80])).lengths.tolist() == [10]
    engine.close()
