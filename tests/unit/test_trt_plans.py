"""Limits of a machine, keys and files of plans, and what is done when a plan or a GPU is missing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from parakeet_asr.engine_choice import EngineRequest, automatic_engine, open_engine
from parakeet_asr.engines.trt import opening
from parakeet_asr.engines.trt.inspection import read_engine_log
from parakeet_asr.engines.trt.limits import ENVIRONMENT, MACHINE_PROFILES, MachineLimits, machine_limits
from parakeet_asr.engines.trt.plan_files import (
    PlanError,
    Platform,
    built_limits,
    find_plan,
    find_plans,
    graph_sha256,
    plan_folder,
    plan_key,
    store_limits,
    write_plan,
)
from parakeet_asr.engines.trt.profiles import describe, plan_graphs, shape_ranges
from parakeet_asr.errors import ConfigurationError, EngineError
from parakeet_asr.loader import load_model
from parakeet_asr.model_directory import read_model_directory, resolve_model

ORIN = Platform("tensorrt", "10.3.0", "Orin (nvgpu)", "8.7")
LIMITS = machine_limits("", {})
KEY = plan_key("ab" * 32, ORIN, LIMITS, "audio_signal 1x128x8..1x128x1200..1x128x2100")


def test_the_environment_changes_a_profile_and_a_choice_changes_both() -> None:
    environment = {
        "PARAKEET_MAX_BATCH": "3",
        "PARAKEET_MAX_UTTERANCE_S": "7.5",
        "PARAKEET_WORKSPACE_MB": "128",
        "PARAKEET_PRECISION": "bf16",
    }
    assert set(environment) == set(ENVIRONMENT)
    assert machine_limits("agx-orin", environment) == MachineLimits("bf16", 3, 7.5, 128)
    assert machine_limits("agx-orin", environment, max_batch=4, precision="fp32").max_batch == 4
    assert machine_limits("agx-orin", {"PARAKEET_MAX_BATCH": " "}) == MACHINE_PROFILES["agx-orin"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PARAKEET_MAX_BATCH", "0"),
        ("PARAKEET_MAX_BATCH", "two"),
        ("PARAKEET_MAX_UTTERANCE_S", "1e9"),
        ("PARAKEET_MAX_UTTERANCE_S", "nan"),
        ("PARAKEET_WORKSPACE_MB", "-5"),
        ("PARAKEET_PRECISION", "fp8"),
    ],
)
def test_values_out_of_range_are_refused_by_name(name: str, value: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"{name}: expected (.|\n)*{value}"):
        machine_limits("", {name: value})


def test_an_unknown_profile_is_answered_with_those_there_are() -> None:
    with pytest.raises(ConfigurationError, match="orin-nano-8gb"):
        machine_limits("commodore-64")


def test_a_plan_comes_back_for_its_own_key_only(tmp_path: Path) -> None:
    stored = write_plan(tmp_path, "encoder", KEY, b"plan")
    assert find_plan(tmp_path, "encoder", KEY).read() == b"plan"
    assert find_plan(tmp_path, "encoder", KEY) == stored
    with pytest.raises(PlanError, match="found none"):
        find_plan(tmp_path, "decoder_step", KEY)
    for change, words in (
        ({"version": "10.16.1"}, "version: '10.16.1', not '10.3.0'"),
        ({"gpu": "NVIDIA L4", "compute_capability": "8.9"}, "gpu: 'NVIDIA L4'"),
        ({"graph_sha256": "cd" * 32}, "graph_sha256"),
        ({"precision": "bf16"}, "precision: 'bf16', not 'fp16'"),
        ({"profiles": "other"}, "profiles: 'other'"),
        ({"workspace_mb": 1}, "workspace_mb: 1"),
    ):
        with pytest.raises(PlanError, match=words):
            find_plan(tmp_path, "encoder", replace(KEY, **change))


def test_a_new_build_replaces_the_old_one_but_not_that_of_another_gpu(tmp_path: Path) -> None:
    write_plan(tmp_path, "encoder", KEY, b"old")
    write_plan(tmp_path, "encoder", replace(KEY, gpu="NVIDIA L4"), b"other")
    write_plan(tmp_path, "encoder", replace(KEY, version="10.16.1"), b"new")
    assert sorted(bytes(plan.read()) for plan in find_plans(tmp_path, "encoder")) == [b"new", b"other"]


def test_a_damaged_plan_is_noticed_before_tensorrt_sees_it(tmp_path: Path) -> None:
    stored = write_plan(tmp_path, "encoder", KEY, b"plan")
    stored.path.write_bytes(b"plam")
    with pytest.raises(PlanError, match="is damaged"):
        find_plan(tmp_path, "encoder", KEY).read()


def test_a_plan_without_its_key_is_none(tmp_path: Path) -> None:
    stored = write_plan(tmp_path, "encoder", KEY, b"plan")
    beside = stored.path.with_name(stored.path.name + ".json")
    beside.write_text('{"key": {"gpu": 1}}')
    assert find_plans(tmp_path, "encoder") == []
    beside.unlink()
    assert find_plans(tmp_path, "encoder") == []


def test_external_data_belongs_to_the_graph(tmp_path: Path) -> None:
    graph, data = tmp_path / "a.onnx", tmp_path / "a.onnx.data"
    graph.write_bytes(b"graph")
    alone = graph_sha256(graph, data)
    data.write_bytes(b"weights")
    assert graph_sha256(graph, data) != alone


def test_shapes_follow_the_limits() -> None:
    spec = read_model_directory(resolve_model("demo"))
    assert plan_graphs(spec) == ("encoder", "decoder_step")
    ranges = shape_ranges(spec, "encoder", MachineLimits("fp16", 2, 20.0, 256))
    assert describe(ranges) == "audio_signal 1x128x8..1x128x1200..2x128x2100; length 1..1..2"
    assert ranges["audio_signal"].contains((2, 128, 777))
    assert not ranges["audio_signal"].contains((3, 128, 777))
    assert not ranges["audio_signal"].contains((1, 128, 2101))


# --- choosing and falling back --------------------------------------------------------------------


@pytest.fixture
def small_model(tmp_path: Path) -> Path:
    """The demo model's files, linked, so that plans may lie beside them."""
    for path in resolve_model("demo").iterdir():
        if path.is_file() and path.suffix != ".nemo":
            (tmp_path / path.name).symlink_to(path)
    return tmp_path


def test_auto_takes_tensorrt_where_engines_were_built(
    small_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert automatic_engine(EngineRequest(small_model)) == "ort"
    write_plan(plan_folder(small_model, "fp16"), "encoder", KEY, b"plan")
    assert automatic_engine(EngineRequest(small_model)) == "trt"
    assert automatic_engine(EngineRequest(small_model, device="cpu")) == "ort"
    monkeypatch.setenv("PARAKEET_PRECISION", "bf16")
    assert automatic_engine(EngineRequest(small_model)) == "ort"


def test_a_node_finds_what_another_profile_built(small_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert built_limits(small_model, {}) is None
    agx = machine_limits("agx-orin", {}, precision="bf16")
    folder = plan_folder(small_model, "bf16")
    write_plan(folder, "encoder", KEY, b"plan")
    store_limits(folder, agx)
    assert built_limits(small_model, {}) == agx
    assert built_limits(small_model, {"PARAKEET_PRECISION": "fp16"}) is None
    assert built_limits(small_model, {"PARAKEET_MAX_BATCH": "3"}) == replace(agx, max_batch=3)
    (folder / "limits.json").write_text("{}")
    assert built_limits(small_model, {}) == machine_limits("", {}, precision="bf16")


def refuse(*_: object, **__: object) -> None:
    raise PlanError("the plan of graph 'encoder' does not fit this machine")


def test_where_tensorrt_cannot_be_used_the_cpu_recognizes_and_the_reason_is_told(
    small_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening, "open_trt", refuse)
    with load_model(small_model, engine="trt", threads=1) as model:
        assert "onnxruntime" in model.description
        assert "does not fit this machine" in model.note
        assert "Remind me" in model.transcribe(opening.stored_clips()[0]).text
    with load_model(small_model, engine="ort", threads=1) as model:
        assert model.note == ""


def test_or_nothing_does_where_that_is_wanted(small_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "open_trt", refuse)
    with pytest.raises(EngineError, match="does not fit this machine"):
        load_model(small_model, engine="trt", fallback="error")


def test_a_real_machine_without_a_gpu_falls_back(small_model: Path) -> None:
    """Nothing is made up here: no TensorRT, or no CUDA, or no plan, whatever this machine lacks."""
    opened = open_engine("trt", EngineRequest(small_model, threads=1))
    if not opened.note:
        pytest.skip("this machine runs TensorRT")
    assert "TensorRT cannot be used" in opened.note
    opened.engine.close()


@pytest.mark.parametrize("arguments", [{"fallback": "abacus"}, {"device": "cpu", "engine": "trt"}])
def test_senseless_arguments_are_refused(small_model: Path, arguments: dict[str, str]) -> None:
    with pytest.raises(ConfigurationError, match="expected"):
        load_model(small_model, **arguments)  # type: ignore[arg-type]


# --- inspection -----------------------------------------------------------------------------------

LOG = """
[VERBOSE] Total Activation Memory: 4096 bytes
[VERBOSE] Total Weights Memory: 2048 bytes
[VERBOSE] Layers:
Name: __myl_FcCastAdd_myl0_3, LayerType: runtime_fusion, Inputs: [ { Name: a, Dimensions: [1,4], Datatype: Float, Format: x }, { Name: b, Dimensions: [1,2], Datatype: Half, Format: x }], Constants: [], Outputs: [ { Name: c, Dimensions: [1,4], Datatype: Float, Format: x }], TacticName: t
Name: pre_encode/Conv_1, LayerType: correlation, Inputs: [ { Name: d, Dimensions: [1], Datatype: Float, Format: x }], Constants: [], Outputs: [ { Name: e, Dimensions: [1], Datatype: Half, Format: x }], TacticName: t

I/O Tensors:
 Name: length, IOMode: Input, DataType: Int64, Dimensions: [-1], Location: Device, IsShapeInferenceIO: false, ProfileInfo: [ { MinShape: [1], OptShape: [1], MaxShape: [2], Format: y }]
"""  # noqa: E501


def test_an_engine_is_read_from_the_words_of_tensorrt() -> None:
    summary = read_engine_log(LOG)
    assert summary.layers == 2
    assert summary.products == {"Half": 1, "Float": 1}
    assert summary.outputs_by_type == {"Half": 1, "Float": 1}
    assert (summary.activation_bytes, summary.weights_bytes) == (4096, 2048)
    length = summary.tensors["length"]
    assert (length.dtype, length.shape, length.profiles) == ("Int64", (-1,), (((1,), (1,), (2,)),))
