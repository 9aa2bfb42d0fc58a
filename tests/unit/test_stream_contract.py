"""What a cache-aware encoder may be fed, and a model.json that says it: numbers only, no model."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes import model_spec
from parakeet_asr.core.model_contract import parse_model_spec
from parakeet_asr.core.model_spec import (
    FileSpec,
    ModelSpec,
    StreamingSpec,
    cache_aware_streaming,
    streaming_graph,
)
from parakeet_asr.core.stream_contract import StreamContract
from parakeet_asr.errors import EngineError, ModelContractError

STREAMING = cache_aware_streaming(70, 1, 8, 8)


def cache_aware_spec(streaming: StreamingSpec = STREAMING) -> ModelSpec:
    """The scripted model's contract with a streaming graph."""
    spec = model_spec()
    spec = replace(spec, encoder=replace(spec.encoder, streaming=streaming))
    return replace(
        spec,
        graphs={**spec.graphs, "encoder_stream": streaming_graph(spec)},
        files={**spec.files, "encoder_stream.onnx": FileSpec("0", 0)},
    )


def window(fill: float = 1.0, before: int = 16, columns: int = 25) -> np.ndarray:
    made = np.full((1, 16, columns), fill, np.float32)
    made[:, :, :before] = 0.0
    return made


def test_the_numbers_are_nemos() -> None:
    """nemo.md section 6: ``chunk_size=[1+8R, 8+8R]``, a steady input is 9+8(R+1) frames."""
    for right in (0, 1, 6, 13):
        spec = cache_aware_streaming(70 // (right + 1) * (right + 1), right, 8, 8)
        assert (spec.first_chunk_frames, spec.chunk_frames) == (1 + 8 * right, 8 + 8 * right)
        assert spec.window_frames == 9 + 8 * (right + 1)
        assert (spec.pre_encode_cache_frames, spec.drop_extra_pre_encoded_steps) == (9, 2)
        assert spec.valid_out_steps == right + 1


@given(st.integers(0, 13), st.integers(1, 400))
def test_chunks_give_the_steps_of_the_whole_pass(right: int, frames: int) -> None:
    streaming = cache_aware_streaming(5 * (right + 1), right, 8, 8)
    contract = StreamContract(cache_aware_spec(streaming))
    whole = frames
    for _ in range(3):
        whole = whole // 2 + 1  # a causal convolution with stride 2
    steps, position = 0, 0
    while position < frames:
        new = min(streaming.chunk_frames if position else streaming.first_chunk_frames, frames - position)
        length = contract.frames_before + new
        contract.check_input(window(before=contract.frames_before, columns=streaming.window_frames), length)
        steps += contract.steps_of(length)
        contract.advance(length)
        position += new
        assert contract.cached_steps == min(
            -(-steps // (right + 1)) * (right + 1), streaming.left_context_steps
        )
    assert steps == whole


@pytest.mark.parametrize(
    ("fed", "length", "message"),
    [
        (
            window(columns=17),
            17,
            r"expected a window of float32\[1, 16, 25\], got float32\[1, 16, 17\](.|\n)*lose",
        ),
        (window(columns=41), 41, r"got float32\[1, 16, 41\]"),
        (window().astype(np.float64), 25, "got float64"),
        (window(), 16, "expected a length of 17 to 25 columns, of which 16 lie before the chunk, got 16"),
        (window(), 26, "got 26"),
        (window(before=9), 25, "expected zeros in the 16 columns before the first chunk of 9 frames"),
    ],
)
def test_what_would_lose_audio_is_refused(fed: np.ndarray, length: int, message: str) -> None:
    with pytest.raises(EngineError, match=message):
        StreamContract(cache_aware_spec()).check_input(fed, length)


def test_nothing_follows_a_chunk_that_was_not_whole() -> None:
    contract = StreamContract(cache_aware_spec())
    contract.check_input(window(), 25)
    contract.advance(25)
    contract.check_input(window(before=9), 10)  # steady: nine frames before, one new
    contract.advance(10)
    with pytest.raises(EngineError, match="ended with a chunk that was not whole"):
        contract.check_input(window(before=9), 25)
    contract.reset()
    contract.check_input(window(), 25)


@pytest.mark.parametrize(("steps", "cached"), [(1, 2), (2, 4), (0, 0)])
def test_an_answer_of_another_length_is_refused(steps: int, cached: int) -> None:
    contract = StreamContract(cache_aware_spec())
    contract.check_output(2, 2, 25)
    with pytest.raises(
        EngineError, match=f"expected 2 steps and 2 in the cache, the graph answered {steps} and"
    ):
        contract.check_output(steps, cached, 25)


def test_an_offline_model_has_no_stream() -> None:
    with pytest.raises(EngineError, match="expected a cache_aware one(.|\n)*this one is offline"):
        StreamContract(model_spec())


def data() -> dict[str, Any]:
    parsed = json.loads(json.dumps(cache_aware_spec().to_json()))
    assert isinstance(parsed, dict)
    return parsed


def test_a_cache_aware_contract_is_read() -> None:
    assert parse_model_spec(data()) == cache_aware_spec()


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (
            ("encoder", "streaming", "chunk_frames"),
            24,
            "chunk_frames: expected 16 for these contexts, found 24",
        ),
        (("encoder", "streaming", "first_chunk_frames"), 16, "first_chunk_frames: expected 9"),
        (("encoder", "streaming", "drop_extra_pre_encoded_steps"), 0, "expected 2"),
        (("encoder", "streaming", "valid_out_steps"), 1, "expected 2"),
        (("encoder", "streaming", "left_context_steps"), 71, r"a multiple of right_context_steps \+ 1 \(2\)"),
        (("encoder", "streaming", "right_context_steps"), -1, "right_context_steps >= 0"),
        (("encoder", "streaming", "convolution_cache_steps"), 0, "convolution_cache_steps > 0"),
        (("features", "normalize"), "per_feature", "'none' for a cache_aware model"),
        (
            ("graphs", "encoder_stream", "inputs", "audio_signal", "shape", 2),
            33,
            "audio_signal: expected float32",
        ),
        (("graphs", "encoder_stream", "outputs", "outputs", "shape", 2), 3, "outputs.outputs"),
    ],
)
def test_contradictions_are_refused_by_name(path: tuple[Any, ...], value: object, message: str) -> None:
    broken = data()
    target: Any = broken
    for key in path[:-1]:
        target = target[key]
    target[path[-1]] = value
    with pytest.raises(ModelContractError, match=message):
        parse_model_spec(broken)


def test_a_missing_streaming_graph_is_named() -> None:
    broken = data()
    del broken["graphs"]["encoder_stream"]
    with pytest.raises(ModelContractError, match="a graph named 'encoder_stream'"):
        parse_model_spec(broken)
    broken = data()
    inputs = broken["graphs"]["encoder_stream"]["inputs"]
    inputs["cache_len"] = inputs.pop("cache_last_channel_len")
    with pytest.raises(ModelContractError, match="cache_last_channel_len(.|\n)*cache_len"):
        parse_model_spec(broken)
