"""Low precision in the graphs: what is low, what is an island, and that the contract stays."""

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

from parakeet_asr.errors import ConfigurationError, ModelContractError  # noqa: E402
from parakeet_asr.model_directory import read_model_directory  # noqa: E402
from parakeet_asr.nemo.archive import open_archive  # noqa: E402
from parakeet_asr_tools.cli import main  # noqa: E402
from parakeet_asr_tools.onnx_export.model_directory import ExportOptions, export_model  # noqa: E402
from parakeet_asr_tools.precision import directory as precision_directory  # noqa: E402
from parakeet_asr_tools.precision.comparison import cosine  # noqa: E402
from parakeet_asr_tools.precision.directory import convert_directory, emulate_directory  # noqa: E402
from parakeet_asr_tools.precision.rewrite import rewrite  # noqa: E402
from parakeet_asr_tools.precision.rule import LOW_TYPES, Rule  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
FLOAT, INT64 = onnx.TensorProto.FLOAT, onnx.TensorProto.INT64


@pytest.fixture
def model_dir(tiny_archive: Callable[..., Path], tmp_path: Path) -> Path:
    with open_archive(tiny_archive(use_bias=True)) as archive:
        export_model(archive, tmp_path / "model", ExportOptions())
    return tmp_path / "model"


def types_of(path: Path) -> dict[str, int]:
    typed = onnx.shape_inference.infer_shapes(onnx.load(str(path))).graph
    kinds = {i.name: i.type.tensor_type.elem_type for i in (*typed.value_info, *typed.input, *typed.output)}
    return kinds | {tensor.name: tensor.data_type for tensor in typed.initializer}


def run(folder: Path, features: Any, length: Any) -> list[Any]:
    session = ort.InferenceSession(str(folder / "encoder.onnx"), providers=["CPUExecutionProvider"])
    names = ["outputs", "encoded_lengths", "encoded_projected"]
    return list(session.run(names, {"audio_signal": features, "length": length}))


@pytest.mark.parametrize("low", ["fp16", "bf16"])
def test_products_are_low_and_dangerous_places_are_islands(model_dir: Path, tmp_path: Path, low: Any) -> None:
    convert_directory(model_dir, tmp_path / "low", Rule(low=low))
    path = tmp_path / "low" / "encoder.onnx"
    kinds, kind = types_of(path), LOW_TYPES[low]
    seen = dict.fromkeys(("MatMul", "Conv", "LayerNormalization", "Softmax", "residual"), 0)
    for node in onnx.load(str(path)).graph.node:
        scope = node.name.split("/")[0]
        what = node.op_type
        if what in ("MatMul", "Conv"):
            expected = FLOAT if scope == "pre_encode" else kind
            assert {kinds[name] for name in node.input} == {expected}, node.name
        elif what in ("LayerNormalization", "Softmax"):
            assert {kinds[name] for name in node.input} == {FLOAT}, node.name
        elif what == "Add" and scope.startswith("layers") and kinds[node.output[0]] == FLOAT:
            what = "residual"
        elif what == "Range":
            assert kinds[node.output[0]] == INT64, node.name  # lengths and masks
        if what in seen:
            seen[what] += 1
    assert all(seen.values()), seen
    assert seen["residual"] == 4 * 2  # sums of each layer


@pytest.mark.parametrize("low", ["fp16", "bf16"])
def test_the_contract_and_the_lengths_stay_and_numbers_are_rounded(
    model_dir: Path, tmp_path: Path, low: Any
) -> None:
    spec = convert_directory(model_dir, tmp_path / "low", Rule(low=low))
    before = read_model_directory(model_dir)
    assert read_model_directory(tmp_path / "low") == spec
    assert (spec.graphs, spec.encoder, spec.decoder) == (before.graphs, before.encoder, before.decoder)
    emulate_directory(tmp_path / "low", tmp_path / "emulated")
    random = np.random.default_rng(0)
    features = random.standard_normal((2, 40, 203)).astype(np.float32)
    length = np.array([203, 9])
    expected = run(model_dir, features, length)
    got = run(tmp_path / "emulated", features, length)
    np.testing.assert_array_equal(got[1], expected[1])
    for a, b in ((expected[0][0], got[0][0]), (expected[2][0], got[2][0])):
        error = float(np.abs(a - b).max())
        assert 1e-5 < error < (0.02 if low == "fp16" else 0.15)
        assert cosine(a, b) > (0.99999 if low == "fp16" else 0.999)


def test_lengths_are_right_where_float16_cannot_count(model_dir: Path, tmp_path: Path) -> None:
    """From 2049 frames on float16 has no odd numbers; 4097 frames are 513 steps, 4096 are 512."""
    convert_directory(model_dir, tmp_path / "low", Rule())
    features = np.zeros((2, 40, 4097), np.float32)
    _, steps, _ = run(tmp_path / "low", features, np.array([4097, 4096]))
    assert steps.tolist() == [513, 512]


def test_weights_stored_small_and_external_ones_are_the_same(
    tiny_archive: Callable[..., Path], model_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Made weights are float16 numbers, so both stored forms hold the same, and so does an external file."""
    from parakeet_asr_tools.onnx_export import builder, model_directory

    features, length = (
        np.random.default_rng(1).standard_normal((1, 40, 90)).astype(np.float32),
        np.array([90]),
    )
    convert_directory(model_dir, tmp_path / "low", Rule())
    expected = run(tmp_path / "low", features, length)
    monkeypatch.setattr(builder, "_SMALL_ELEMENTS", 64)
    for module in (model_directory, precision_directory):
        monkeypatch.setattr(module, "EXTERNAL_ABOVE_BYTES", 0)
    monkeypatch.setattr("parakeet_asr_tools.precision.rewrite._LARGE_ELEMENTS", 64)
    with open_archive(tiny_archive(use_bias=True)) as archive:
        export_model(archive, tmp_path / "halves", ExportOptions(weights="float16"))
    convert_directory(tmp_path / "halves", tmp_path / "external", Rule())
    assert (tmp_path / "external" / "encoder.onnx.data").stat().st_size > 10_000
    assert (tmp_path / "external" / "encoder.onnx").stat().st_size < (
        tmp_path / "low" / "encoder.onnx"
    ).stat().st_size
    for a, b in zip(expected, run(tmp_path / "external", features, length), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)


def test_a_weight_beyond_float16_keeps_its_product_in_float32(model_dir: Path, tmp_path: Path) -> None:
    path = model_dir / "encoder.onnx"
    model = onnx.load(str(path))
    name = next(t.name for t in model.graph.initializer if t.name.endswith("linear_v.weight"))
    for tensor in model.graph.initializer:
        if tensor.name == name:
            array = onnx.numpy_helper.to_array(tensor).copy()
            array[0, 0] = 1e5
            tensor.CopyFrom(onnx.numpy_helper.from_array(array, name))
    onnx.save(model, str(path))
    rewrite(path, Rule(), tmp_path / "low.onnx", None)
    kinds = types_of(tmp_path / "low.onnx")
    products = [n for n in onnx.load(str(tmp_path / "low.onnx")).graph.node if name in n.input]
    assert [kinds[node.output[0]] for node in products] == [FLOAT]
    rewrite(path, Rule(low="bf16"), tmp_path / "low.onnx", None)  # whose range is that of float32
    assert name not in types_of(tmp_path / "low.onnx")


def test_the_command_measures_on_speech(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The bundled model and a few of the samples: every token agrees."""
    out = tmp_path / "demo-fp16"
    arguments = ["convert-precision", str(ROOT / "models" / "demo"), str(out)]
    speech = ["--speech", str(ROOT / "examples" / "samples"), "--limit-s", "6"]
    assert main([*arguments, *speech]) == 0
    assert "% of" in capsys.readouterr().out
    report = json.loads((out / "precision_report.json").read_text())["speech"]
    assert report["token_agreement"] >= 0.995
    assert report["reference_tokens"] > 20
    stages = report["stages"]
    assert len(stages) == 1 + 12 + 2  # subsampling, layers, and what the graph gives out
    for name, stage in stages.items():
        assert stage["worst_cosine"] > 0.9999, name
        assert stage["not_finite"] == 0, name
    assert stages["encoded_projected"]["largest_error"] > 0  # it was rounded
    ranges = report["ranges"]
    assert len(ranges) == 1 + 12
    assert all(1 < largest < 10_001 for largest in ranges.values())  # masked scores are -10000


def test_nothing_is_written_over_the_model_itself(model_dir: Path) -> None:
    with pytest.raises(ConfigurationError, match="expected another folder"):
        convert_directory(model_dir, model_dir, Rule())


def test_a_graph_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.onnx").write_bytes(b"no graph")
    with pytest.raises(ModelContractError, match="expected an ONNX graph"):
        rewrite(tmp_path / "x.onnx", Rule(), tmp_path / "y.onnx", None)
