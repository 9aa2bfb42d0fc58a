"""The exported graphs give what the PyTorch reference gives."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
ort = pytest.importorskip("onnxruntime")

from parakeet_asr.engines.pytorch.model.transducer import Transducer, load_transducer  # noqa: E402
from parakeet_asr.nemo.archive import open_archive  # noqa: E402
from parakeet_asr.nemo.config import parse_config  # noqa: E402
from parakeet_asr_tools.onnx_export import model_directory  # noqa: E402
from parakeet_asr_tools.onnx_export.model_directory import ExportOptions, export_model  # noqa: E402

TOLERANCE = 2e-5
SHAPES = {
    "tdt": {},
    "rnnt, xscaling, biases, layer norm": {
        "durations": (),
        "xscaling": True,
        "use_bias": True,
        "conv_norm": "layer_norm",
        "joint_dropout": 0.0,
    },
    "tdt, biases, batch norm": {"use_bias": True},
}


class Pair:
    """A model as PyTorch modules and as graphs."""

    def __init__(self, archive_path: Path, folder: Path, weights: Any = "float32") -> None:
        with open_archive(archive_path) as archive:
            config = parse_config(archive.config)
            copies = {key: value.clone() for key, value in archive.weights.items()}
            self.torch: Transducer = load_transducer(config, copies)
            self.spec = export_model(archive, folder, ExportOptions(weights=weights))
        self._folder = folder
        self.config = config

    def run(self, graph: str, **inputs: Any) -> list[Any]:
        session = ort.InferenceSession(self._folder / f"{graph}.onnx", providers=["CPUExecutionProvider"])
        outputs = list(self.spec.graphs[graph].outputs)
        found: list[Any] = session.run(outputs, {name: np.asarray(value) for name, value in inputs.items()})
        return found

    def features(self, lengths: list[int], seed: int = 0) -> tuple[Any, Any]:
        generator = torch.Generator().manual_seed(seed)
        features = torch.randn(len(lengths), self.config.encoder.mels, max(lengths), generator=generator)
        for row, length in zip(features, lengths, strict=True):
            row[:, length:] = 0
        return features, torch.tensor(lengths)


@pytest.fixture(params=SHAPES.values(), ids=SHAPES.keys())
def pair(request: pytest.FixtureRequest, tiny_archive: Callable[..., Path], tmp_path: Path) -> Pair:
    return Pair(tiny_archive(**request.param), tmp_path / "out")


@pytest.mark.parametrize("lengths", [[200], [1], [8], [9], [17]], ids=str)
def test_encoder(pair: Pair, lengths: list[int]) -> None:
    features, length = pair.features(lengths)
    outputs, steps = pair.torch.encoder(features, length)
    got, got_steps, projected = pair.run("encoder", audio_signal=features, length=length)
    assert got_steps.tolist() == steps.tolist() == [(((lengths[0] + 1) // 2 + 1) // 2 + 1) // 2]
    np.testing.assert_allclose(got, outputs, atol=TOLERANCE)
    np.testing.assert_allclose(projected, pair.torch.joint.enc(outputs.transpose(1, 2)), atol=TOLERANCE)


def test_padded_rows_equal_rows_alone(pair: Pair) -> None:
    """Every residue of the length modulo the subsampling factor, so that each stage's leak would show."""
    lengths = [88, *range(57, 65), 1, 2, 3, 4, 5]
    features, length = pair.features(lengths)
    features += 3.0 * (torch.arange(88) >= length[:, None, None])  # rubbish behind the end does not matter
    got, got_steps, _ = pair.run("encoder", audio_signal=features, length=length)
    for i, frames in enumerate(lengths):
        alone, _, _ = pair.run(
            "encoder", audio_signal=features[i : i + 1, :, :frames], length=length[i : i + 1]
        )
        reference, _ = pair.torch.encoder(features[i : i + 1, :, :frames], length[i : i + 1])
        np.testing.assert_allclose(got[i, :, : got_steps[i]], alone[0], atol=TOLERANCE)
        np.testing.assert_allclose(alone, reference, atol=TOLERANCE)


def test_decoder(pair: Pair) -> None:
    random = np.random.default_rng(0)
    spec, config = pair.spec.decoder, pair.config
    state = random.standard_normal((2, spec.predictor_layers, 3, spec.predictor_hidden)).astype(np.float32)
    token = np.array([spec.blank_id, 0, 7])
    encoded = random.standard_normal((3, 6, config.encoder.d_model)).astype(np.float32)
    projected = pair.torch.joint.enc(torch.from_numpy(encoded))
    states = {"token": token, "hidden_in": state[0], "cell_in": state[1]}
    reference = pair.torch.decoder(torch.from_numpy(token), *torch.from_numpy(state))
    for got, expected in zip(pair.run("predictor", **states), reference, strict=True):
        np.testing.assert_allclose(got, expected, atol=TOLERANCE)

    logits = pair.torch.joint(torch.from_numpy(encoded), reference[0][:, None])
    (joined,) = pair.run("joint", encoder_output=encoded, predictor_output=reference[0][:, None])
    assert joined.shape == (3, 6, 1, spec.logits_size)
    np.testing.assert_allclose(joined, logits, atol=TOLERANCE)

    fused = pair.run("decoder_step", encoded_projected=projected, **states)
    np.testing.assert_allclose(fused[0], logits[:, :, 0], atol=TOLERANCE)
    for got, expected in zip(fused[1:], reference[1:], strict=True):
        np.testing.assert_allclose(got, expected, atol=TOLERANCE)


@pytest.mark.parametrize(("weights", "tolerance"), [("float16", TOLERANCE), ("int8", 0.15)])
def test_stored_weights(
    tiny_archive: Callable[..., Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    weights: str,
    tolerance: float,
) -> None:
    """Made weights are float16 numbers, so that float16 loses nothing; int8 loses a little, but something."""
    from parakeet_asr_tools.onnx_export import builder

    monkeypatch.setattr(builder, "_SMALL_ELEMENTS", 64)
    pair = Pair(tiny_archive(use_bias=True, xscaling=True), tmp_path / "out", weights)
    features, length = pair.features([120])
    outputs, _ = pair.torch.encoder(features, length)
    got, _, _ = pair.run("encoder", audio_signal=features, length=length)
    error = np.abs(got - outputs.numpy()).max()
    assert error < tolerance
    assert weights == "float16" or error > TOLERANCE


def test_external_data(
    tiny_archive: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from parakeet_asr_tools.onnx_export import builder

    monkeypatch.setattr(model_directory, "EXTERNAL_ABOVE_BYTES", 0)
    monkeypatch.setattr(builder, "_SMALL_ELEMENTS", 64)
    pair = Pair(tiny_archive(), tmp_path / "out")
    assert pair.spec.files["encoder.onnx.data"].bytes > 10 * pair.spec.files["encoder.onnx"].bytes // 100
    features, length = pair.features([120])
    got, _, _ = pair.run("encoder", audio_signal=features, length=length)
    np.testing.assert_allclose(got, pair.torch.encoder(features, length)[0], atol=TOLERANCE)


def test_standard_operators_only(pair: Pair, tmp_path: Path) -> None:
    import onnx

    for graph in pair.spec.graphs.values():
        model = onnx.load(tmp_path / "out" / graph.file)
        assert [(entry.domain, entry.version) for entry in model.opset_import] == [("", 17)]
        assert {node.domain for node in model.graph.node} == {""}
        onnx.checker.check_model(model, full_check=True)
