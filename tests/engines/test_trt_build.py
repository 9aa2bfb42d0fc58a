"""Real engines, built by TensorRT for RTX from the demo model's .nemo, without a GPU, and looked into."""

from __future__ import annotations

import importlib.util
import json
import platform
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")
if sys.platform != "linux" or platform.machine() != "x86_64":
    pytest.skip("TensorRT for RTX has wheels for x86_64 Linux only", allow_module_level=True)
if sys.version_info >= (3, 14):
    pytest.skip("TensorRT for RTX has no wheel for this Python", allow_module_level=True)

from parakeet_asr.errors import EngineError
from parakeet_asr_tools.cli import main

ROOT = Path(__file__).resolve().parents[2]
NEMO = ROOT / "models" / "demo" / "demo.nemo"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`export` and `build`, as a user types them."""
    assert importlib.util.find_spec("tensorrt_rtx_bindings"), "make test installs it: tensorrt.txt"
    out = tmp_path_factory.mktemp("model")
    assert main(["export", str(NEMO), str(out)]) == 0
    assert main(["build", str(out), "--max-utterance-s", "12", "--max-batch", "2"]) == 0
    return out / "trt-fp16"


@pytest.fixture(scope="module")
def report(built: Path) -> dict[str, Any]:
    data: dict[str, Any] = json.loads((built / "build_report.json").read_text())
    return data


def test_inputs_and_outputs_are_the_contracts(report: dict[str, Any]) -> None:
    spec = json.loads((ROOT / "models" / "demo" / "model.json").read_text())
    names = {"float32": "Float", "int64": "Int64"}
    assert set(report["plans"]) == {"encoder", "decoder_step"}
    for graph, row in report["plans"].items():
        tensors, contract = row["engine"]["tensors"], spec["graphs"][graph]
        assert set(tensors) == set(contract["inputs"]) | set(contract["outputs"])
        for mode, role in (("Input", "inputs"), ("Output", "outputs")):
            for name, expected in contract[role].items():
                assert tensors[name]["mode"] == mode
                assert tensors[name]["dtype"] == names[expected["dtype"]], name
                for size, found in zip(expected["shape"], tensors[name]["shape"], strict=True):
                    assert found == (size if isinstance(size, int) else -1), name


def test_shapes_are_those_of_the_limits(report: dict[str, Any]) -> None:
    encoder = report["plans"]["encoder"]["engine"]["tensors"]
    assert encoder["audio_signal"]["profiles"] == [[[1, 128, 8], [1, 128, 1200], [2, 128, 1300]]]
    assert encoder["length"]["profiles"] == [[[1], [1], [2]]]
    decoder = report["plans"]["decoder_step"]["engine"]["tensors"]
    assert decoder["encoded_projected"]["profiles"] == [[[1, 1, 256], [1, 8, 256], [2, 8, 256]]]


def test_products_are_in_half_precision_but_those_of_the_subsampling(report: dict[str, Any]) -> None:
    products = report["plans"]["encoder"]["engine"]["products"]
    assert products["Float"] == 8  # seven convolutions and a projection
    assert products["Half"] >= 12 * 8  # of every layer; TensorRT merges some
    assert set(report["plans"]["decoder_step"]["engine"]["products"]) == {"Half"}


def test_the_report_tells_what_was_built_with_what_and_what_it_needs(
    built: Path, report: dict[str, Any]
) -> None:
    assert report["platform"]["flavour"] in ("tensorrt", "tensorrt_rtx")
    for row in report["plans"].values():
        assert (built / row["plan"]).stat().st_size == row["bytes"]
        assert (built / row["log"]).stat().st_size > 1000
        assert row["key"]["precision"] == "fp16"
        assert row["engine"]["activation_bytes"] > 0
    assert 10e6 < report["plans"]["encoder"]["engine"]["weights_bytes"] < 25e6  # halves of 10 million numbers
    assert report["limits"]["max_utterance_s"] == 12
    if not report["platform"]["gpu"]:
        assert report["self_check"]["status"] == "pending"
    with np.load(built / "self_check_reference.npz") as reference:
        assert len(reference["tokens.0"]) > 5


def test_what_is_built_is_not_built_again(
    built: Path, report: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    before = {path.name: path.stat().st_mtime_ns for path in built.glob("*.plan")}
    assert main(["build", str(built.parent), "--max-utterance-s", "12", "--max-batch", "2"]) == 0
    assert {path.name: path.stat().st_mtime_ns for path in built.glob("*.plan")} == before
    assert "in 0 s" in capsys.readouterr().out


def test_a_graph_that_tensorrt_cannot_parse_is_an_error_with_its_reason(tmp_path: Path) -> None:
    from parakeet_asr.engines.trt.building import build_plan
    from parakeet_asr.engines.trt.limits import machine_limits

    (tmp_path / "x.onnx").write_bytes(b"no graph")
    with pytest.raises(EngineError, match="cannot parse"):
        build_plan(tmp_path / "x.onnx", {}, machine_limits(), log=tmp_path / "x.log")


def test_a_gpu_that_tensorrt_for_rtx_does_not_run_on_is_refused_before_building() -> None:
    from parakeet_asr.engines.trt.flavour import FLAVOUR, require_supported

    if FLAVOUR != "tensorrt_rtx":
        pytest.skip("the full TensorRT runs on all of them")
    for unknown in ("8.7", "9.0", "10.0"):  # Orin, H100, B200
        with pytest.raises(EngineError, match=f"does not run on GPUs of compute capability {unknown}"):
            require_supported(unknown)
    for known in ("8.6", "8.9", "12.0", "13.0"):
        require_supported(known)


def test_a_plan_that_tensorrt_does_not_take_is_an_error_with_tensorrts_reason() -> None:
    from parakeet_asr.engines.trt.plan_files import PlanError
    from parakeet_asr.engines.trt.runtime import TrtPlan

    with pytest.raises(PlanError, match=r"refuses the plan: .*[Ss]erialization"):
        TrtPlan("encoder", memoryview(b"x" * 1000), stream=0)
