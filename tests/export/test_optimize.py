"""Fusion and quantisation of the encoder: what becomes of the graph, of the contract and of what is heard."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")
ort = pytest.importorskip("onnxruntime")

from parakeet_asr.errors import ConfigurationError  # noqa: E402
from parakeet_asr.loader import load_model  # noqa: E402
from parakeet_asr.model_directory import read_model_directory  # noqa: E402
from parakeet_asr.nemo.archive import open_archive  # noqa: E402
from parakeet_asr_tools.cli import main  # noqa: E402
from parakeet_asr_tools.onnx_export.model_directory import ExportOptions, export_model  # noqa: E402
from parakeet_asr_tools.optimizing import directory as optimizing_directory  # noqa: E402
from parakeet_asr_tools.optimizing.directory import OptimizeOptions, optimize_directory  # noqa: E402
from parakeet_asr_tools.optimizing.fusion import fuse  # noqa: E402
from parakeet_asr_tools.optimizing.graph_files import read_folded, write_graph  # noqa: E402
from parakeet_asr_tools.optimizing.quantization import METHODS, Quantization  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
DEMO, SAMPLES = ROOT / "models" / "demo", ROOT / "examples" / "samples"


@pytest.fixture
def model_dir(tiny_archive: Callable[..., Path], tmp_path: Path) -> Path:
    with open_archive(tiny_archive(use_bias=True)) as archive:
        export_model(archive, tmp_path / "model", ExportOptions(weights="float16"))
    return tmp_path / "model"


@pytest.fixture
def speech(tmp_path: Path) -> Path:
    """Two of the samples."""
    rows = (SAMPLES / "manifest.jsonl").read_text("utf-8").splitlines()[:2]
    (tmp_path / "speech").mkdir()
    (tmp_path / "speech" / "manifest.jsonl").write_text("\n".join(rows), "utf-8")
    for row in rows:
        name = json.loads(row)["audio"]
        (tmp_path / "speech" / name).symlink_to(SAMPLES / name)
    return tmp_path / "speech"


def run(path: Path, frames: int = 203) -> Any:
    features = np.random.default_rng(0).standard_normal((2, 40, frames)).astype(np.float32)
    session = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    feeds = {"audio_signal": features, "length": np.array([frames, 9])}
    return session.run(["encoded_projected", "encoded_lengths"], feeds)


def kinds(path: Path) -> dict[str, int]:
    counts: dict[str, int] = {}
    for node in onnx.load(str(path)).graph.node:
        counts[node.op_type] = counts.get(node.op_type, 0) + 1
    return counts


def test_fusion_changes_the_graph_and_not_the_numbers(model_dir: Path, tmp_path: Path) -> None:
    before = model_dir / "encoder.onnx"
    model = read_folded(before)
    assert not any(t.data_type == onnx.TensorProto.FLOAT16 for t in model.graph.initializer)
    counts = fuse(model)
    write_graph(model, tmp_path / "fused.onnx")
    assert counts == {"SkipLayerNormalization": 4 * 2, "QuickGelu": 3 * 2}  # of two layers
    found = kinds(tmp_path / "fused.onnx")
    assert found["SkipLayerNormalization"] == 8
    assert found["LayerNormalization"] == kinds(before)["LayerNormalization"] - 8
    for a, b in zip(run(before), run(tmp_path / "fused.onnx"), strict=True):
        np.testing.assert_allclose(a, b, atol=2e-5)


@pytest.mark.parametrize("method", METHODS)
def test_every_method_gives_the_same_contract_and_nearly_the_same_numbers(
    method: Any, model_dir: Path, tmp_path: Path
) -> None:
    options = OptimizeOptions(quantization=Quantization(method, block_size=16))
    spec = optimize_directory(model_dir, tmp_path / "small", options)
    before = read_model_directory(model_dir)
    assert read_model_directory(tmp_path / "small") == spec
    assert (spec.graphs, spec.encoder, spec.decoder) == (before.graphs, before.encoder, before.decoder)
    assert spec.files["decoder_step.onnx"] == before.files["decoder_step.onnx"]
    found = kinds(tmp_path / "small" / "encoder.onnx")
    # everything with a constant matrix: 11 in a layer (positions, too), the subsampling and the joint's
    assert found["MatMulInteger" if method == "int8-dynamic" else "MatMulNBits"] == 2 * 11 + 2
    expected, got = run(model_dir / "encoder.onnx"), run(tmp_path / "small" / "encoder.onnx")
    np.testing.assert_array_equal(got[1], expected[1])
    error = np.abs(got[0] - expected[0]).max() / np.abs(expected[0]).max()
    assert 1e-6 < error < (0.03 if method.startswith("int8") else 0.4)


def test_more_bits_where_errors_hurt_most(model_dir: Path, tmp_path: Path) -> None:
    options = OptimizeOptions(quantization=Quantization("k_quant_mixed", block_size=16))
    optimize_directory(model_dir, tmp_path / "mixed", options)
    bits = {
        node.input[1]: next(a.i for a in node.attribute if a.name == "bits")
        for node in onnx.load(str(tmp_path / "mixed" / "encoder.onnx")).graph.node
        if node.op_type == "MatMulNBits"
    }
    report = json.loads((tmp_path / "mixed" / "optimize_report.json").read_text())
    counts = report["graphs"]["encoder.onnx"]["quantized"]
    assert counts == {"4 bits": list(bits.values()).count(4), "8 bits": list(bits.values()).count(8)}
    assert {b for name, b in bits.items() if name.startswith(("pre_encode", "joint"))} == {8}
    assert counts["4 bits"] > counts["8 bits"] >= 2


@pytest.mark.parametrize("method", METHODS)
def test_every_method_works_without_fusion(method: Any, model_dir: Path, tmp_path: Path) -> None:
    """Valid by itself: nothing else declares the operators that it uses."""
    options = OptimizeOptions(fusion=False, quantization=Quantization(method))
    optimize_directory(model_dir, tmp_path / "out", options)
    run(tmp_path / "out" / "encoder.onnx")


def test_the_same_input_gives_the_same_bytes(model_dir: Path, tmp_path: Path) -> None:
    for method in ("rtn", "int8-dynamic"):
        options = OptimizeOptions(quantization=Quantization(method))
        specs = [optimize_directory(model_dir, tmp_path / f"{method}{i}", options) for i in range(2)]
        assert specs[0] == specs[1]


def test_large_weights_stay_beside_the_graph(
    model_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(optimizing_directory, "EXTERNAL_ABOVE_BYTES", 0)
    monkeypatch.setattr("parakeet_asr_tools.optimizing.graph_files._LARGE_ELEMENTS", 64)
    for name, options in (
        ("fused", OptimizeOptions(quantization=None)),
        ("again", OptimizeOptions(fusion=False, quantization=None)),  # reads what lies beside
    ):
        optimize_directory(model_dir, tmp_path / name, options)
        assert (tmp_path / name / "encoder.onnx.data").stat().st_size > 10_000
        model_dir = tmp_path / name
    monkeypatch.setattr("parakeet_asr_tools.optimizing.quantization.EXTERNAL_ABOVE_BYTES", 0)
    dynamic = OptimizeOptions(fusion=False, quantization=Quantization("int8-dynamic"))
    with pytest.raises(ConfigurationError, match="optimized before"):
        optimize_directory(tmp_path / "fused", tmp_path / "dynamic", dynamic)
    optimize_directory(tmp_path / "model", tmp_path / "dynamic", dynamic)
    run(tmp_path / "dynamic" / "encoder.onnx")
    np.testing.assert_allclose(
        run(tmp_path / "again" / "encoder.onnx")[0], run(tmp_path / "model" / "encoder.onnx")[0], atol=2e-5
    )


def test_the_command_hears_the_samples_and_writes_what_it_measured(
    speech: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["optimize", str(DEMO), str(tmp_path / "int8"), "--quant-method", "int8-dynamic"]
    assert main([*command, "--skip-fusion", "--speech", str(speech), "--max-wer-rise", "3"]) == 0
    assert "demo-int8-dynamic" in capsys.readouterr().out
    report = json.loads((tmp_path / "int8" / "optimize_report.json").read_text())
    assert report["speech"]["utterances"] == 2
    assert report["speech"]["wer_after"] <= report["speech"]["wer_before"] + 3
    assert set(report["graphs"]["encoder.onnx"]) == {"quantized"}
    with load_model(tmp_path / "int8", threads=1) as model:
        assert (
            model.transcribe(SAMPLES / "synth-a-010.flac").text
            == "Remind me in thirty minutes to call Sarah."
        )
    assert (tmp_path / "int8" / "encoder.onnx").stat().st_size < (
        0.65 * (DEMO / "encoder.onnx").stat().st_size
    )


def test_a_model_that_became_too_bad_does_not_appear(
    speech: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["optimize", str(DEMO), str(tmp_path / "bad"), "--block-size", "256"]
    assert main([*command, "--speech", str(speech), "--max-wer-rise", "-100"]) == 1
    assert "word error rate rises from" in capsys.readouterr().err
    assert list((tmp_path / "bad").iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--block-size", "24"], "block size: expected a power of two from 16 on, got 24"),
        (["--accuracy-level", "9"], "accuracy level: expected 0 to 4, got 9"),
    ],
)
def test_options_that_no_kernel_runs_are_refused(
    arguments: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["optimize", str(DEMO), str(tmp_path / "out"), *arguments]) == 1
    assert message in capsys.readouterr().err


def test_a_model_is_not_written_over_itself(model_dir: Path) -> None:
    with pytest.raises(ConfigurationError, match="expected another folder"):
        optimize_directory(model_dir, model_dir, OptimizeOptions())
