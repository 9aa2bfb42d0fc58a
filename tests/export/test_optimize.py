"""Fusion and quantisation of the encoder: what becomes of the graph, of the contract and of what is heard."""

from __future__ import annotations

import json
import subprocess
import sys
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
from parakeet_asr_tools.optimizing.directory import OptimizeOptions, optimize_directory  # noqa: E402
from parakeet_asr_tools.optimizing.dynamic import unsigned  # noqa: E402
from parakeet_asr_tools.optimizing.fusion import fuse  # noqa: E402
from parakeet_asr_tools.optimizing.graph_files import read_folded, write_graph  # noqa: E402
from parakeet_asr_tools.optimizing.quantization import METHODS, Quantization, constants_to_the_right  # noqa: E402

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


def test_dynamic_weights_are_those_of_onnx_runtimes_own_quantiser(model_dir: Path, tmp_path: Path) -> None:
    from onnxruntime.quantization import QuantType, quantize_dynamic

    model = read_folded(model_dir / "encoder.onnx")
    constants_to_the_right(model.graph)
    write_graph(model, tmp_path / "float32.onnx")
    quantize_dynamic(
        tmp_path / "float32.onnx",
        tmp_path / "theirs.onnx",
        op_types_to_quantize=["MatMul"],
        per_channel=True,
        weight_type=QuantType.QUInt8,
        extra_options={"MatMulConstBOnly": True},
    )
    options = OptimizeOptions(fusion=False, quantization=Quantization("int8-dynamic"))
    optimize_directory(model_dir, tmp_path / "ours", options)
    theirs, ours = (
        sorted(
            (tuple(tensor.dims), onnx.numpy_helper.to_array(tensor).tobytes())
            for tensor in onnx.load(str(path)).graph.initializer
            if tensor.data_type == onnx.TensorProto.UINT8 and tensor.dims
        )
        for path in (tmp_path / "theirs.onnx", tmp_path / "ours" / "encoder.onnx")
    )
    assert ours == theirs
    assert len(ours) == 2 * (2 * 11 + 2)  # numbers and zero points
    for a, b in zip(run(tmp_path / "theirs.onnx"), run(tmp_path / "ours" / "encoder.onnx"), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)


def test_a_column_of_zeros_stays_zero() -> None:
    weight = np.array([[0.0, -3.0, 5.0], [0.0, -1.0, 2.0]], np.float32)
    numbers, scale, zero_point = unsigned(weight)
    assert zero_point.tolist() == [0, 255, 0]  # zero is a number of its own in every column
    np.testing.assert_allclose((numbers - zero_point.astype(np.float32)) * scale, weight, atol=0.02)
    assert not numbers[:, 0].any()


def test_hqq_computes_with_one_thread(
    model_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With two it took four times the processor time on a busy machine."""
    from onnxruntime.quantization.matmul_nbits_quantizer import HQQWeightOnlyQuantizer as Quantizer

    seen = set()
    quantize = Quantizer.quantize_internal

    def watched(*arguments: Any, **options: Any) -> Any:
        seen.add(torch.get_num_threads())
        return quantize(*arguments, **options)

    monkeypatch.setattr(Quantizer, "quantize_internal", watched)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        optimize_directory(model_dir, tmp_path / "hqq", OptimizeOptions(quantization=Quantization("hqq")))
        assert (seen, torch.get_num_threads()) == ({1}, 2)
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("method", ["rtn", "int8-dynamic"])
def test_little_more_memory_than_the_weights_take(
    method: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By Linux's count, in a process of its own, of an encoder beside which its weights lie."""
    width, count = 512, 96
    monkeypatch.setattr("parakeet_asr_tools.optimizing.graph_files.EXTERNAL_ABOVE_BYTES", 0)
    write_graph(products(width, count), tmp_path / "float32.onnx")
    script = """
import sys
from pathlib import Path
import onnxruntime.quantization.matmul_nbits_quantizer  # takes memory itself
from parakeet_asr_tools.optimizing.graph_files import read_folded
from parakeet_asr_tools.optimizing.quantization import Quantization, quantize
from parakeet_asr_tools.process_memory import peak_resident_bytes, resident_bytes

before = resident_bytes()
quantize(read_folded(Path("float32.onnx")), Quantization(sys.argv[1]))
print(peak_resident_bytes() - before)
"""
    command = [sys.executable, "-c", script, method]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    # measured: 1.2 and 1.3; 2.0 with a list of all weights on the way, 4 with ONNX Runtime's quantize_dynamic
    assert 1.0 < int(done.stdout) / (4 * width * width * count) < 1.6


def products(width: int, count: int) -> Any:
    """One product with a constant matrix after the other."""
    weight = np.random.default_rng(0).standard_normal((width, width), np.float32)
    nodes = [
        onnx.helper.make_node("MatMul", [f"x{i}", f"w{i}"], [f"x{i + 1}"], f"n{i}") for i in range(count)
    ]
    ends = [onnx.helper.make_tensor_value_info(x, 1, [1, "t", width]) for x in ("x0", f"x{count}")]
    weights = [onnx.numpy_helper.from_array(weight + i, f"w{i}") for i in range(count)]  # all different
    graph = onnx.helper.make_graph(nodes, "products", ends[:1], ends[1:], weights)
    return onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8)


def test_large_weights_stay_beside_the_graph(
    model_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("parakeet_asr_tools.optimizing.graph_files.EXTERNAL_ABOVE_BYTES", 0)
    monkeypatch.setattr("parakeet_asr_tools.optimizing.graph_files._LARGE_ELEMENTS", 64)
    for name, options in (
        ("fused", OptimizeOptions(quantization=None)),
        ("again", OptimizeOptions(fusion=False, quantization=None)),  # reads what lies beside
    ):
        optimize_directory(model_dir, tmp_path / name, options)
        assert (tmp_path / name / "encoder.onnx.data").stat().st_size > 10_000
        model_dir = tmp_path / name
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
