"""The bundled model through ONNX Runtime: contract checks, and what is done with damaged models."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from parakeet_asr.core.decoding import initial_state
from parakeet_asr.core.engine import EncoderOutput, PredictorState
from parakeet_asr.errors import ConfigurationError, EngineError, ModelContractError, ModelIntegrityError
from parakeet_asr.loader import Model, load_model
from parakeet_asr.model_directory import read_model_directory, resolve_model, sha256_of

DEMO = resolve_model("demo")
NAMES = (
    "model.json",
    "encoder.onnx",
    "decoder_step.onnx",
    "predictor.onnx",
    "joint.onnx",
    "tokenizer.model",
    "README.md",
)


@pytest.fixture(scope="module")
def model() -> Model:
    return load_model(DEMO, threads=1)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    for name in NAMES:
        shutil.copy(DEMO / name, tmp_path / name)
    return tmp_path


def edit(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    data = json.loads((folder / "model.json").read_text())
    change(data)
    (folder / "model.json").write_text(json.dumps(data))


def noise(seconds: float, seed: int = 0) -> np.ndarray[Any, np.dtype[np.float32]]:
    return (0.1 * np.random.default_rng(seed).standard_normal(round(seconds * 16_000))).astype(np.float32)


def test_cuda_is_given_sizes_that_recur_and_gives_the_same(
    model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On this CPU; what is padded leaks into nothing, empty rows included."""
    recognizer, engine = model.recognizer, model.recognizer.engine
    audio = [noise(s, i) for i, s in enumerate((3.01, 1.7, 0.33))]
    expected = recognizer.encode(audio)
    shapes: list[tuple[int, ...]] = []
    encode = engine._encode  # type: ignore[attr-defined]

    def watched(features: Any, lengths: Any) -> EncoderOutput:
        shapes.append(features.shape)
        found: EncoderOutput = encode(features, lengths)
        return found

    monkeypatch.setattr(engine, "_device", "cuda")
    monkeypatch.setattr(engine, "_encode", watched)
    found = recognizer.encode(audio)
    recognizer.encode(audio[1:2])
    assert shapes == [(4, 128, 384), (1, 128, 256)]
    assert found.lengths.tolist() == expected.lengths.tolist()
    for row, length in enumerate(expected.lengths):
        np.testing.assert_allclose(
            found.projected[row, :length], expected.projected[row, :length], rtol=1e-3, atol=1e-4
        )


def test_padding_in_a_batch_leaks_into_nothing(model: Model) -> None:
    recognizer = model.recognizer
    audio = [noise(s, i) for i, s in enumerate((3.01, 1.7, 0.33, 2.505))]
    batch = recognizer.encode(audio)
    for row, samples in enumerate(audio):
        single = recognizer.encode([samples])
        steps = int(single.lengths[0])
        assert batch.lengths[row] == steps
        np.testing.assert_allclose(batch.projected[row, :steps], single.projected[0, :steps], atol=2e-4)


def test_the_step_is_a_pure_function(model: Model) -> None:
    engine, spec = model.recognizer.engine, model.spec.decoder
    state = initial_state(spec).predictor
    steps = np.random.default_rng(1).standard_normal((1, 5, spec.joint_hidden)).astype(np.float32)
    token = np.array([spec.blank_id], np.int64)
    first, second = engine.step(steps, token, state), engine.step(steps, token, state)
    np.testing.assert_array_equal(first.logits, second.logits)
    alone = engine.step(steps[:, 2:3], token, state)
    np.testing.assert_allclose(alone.logits[0, 0], first.logits[0, 2], atol=1e-5)
    assert first.logits.shape == (1, 5, spec.logits_size)


def test_nothing_in_nothing_out(model: Model) -> None:
    empty = EncoderOutput(
        np.zeros((1, 0, model.spec.decoder.joint_hidden), np.float32), np.zeros(1, np.int64)
    )
    (decoded,) = model.recognizer.decode(empty)
    assert decoded.tokens == ()
    assert model.transcribe(np.zeros(0, np.float32)).text == ""
    assert model.transcribe([]) == []


@pytest.mark.parametrize(
    "signal", [np.zeros(16_000), np.full(16_000, np.nan), np.full(16_000, np.inf), np.ones(16_000)]
)
def test_senseless_input_is_survived(model: Model, signal: np.ndarray[Any, Any]) -> None:
    heard = model.transcribe(signal.astype(np.float32))
    assert heard.duration_s == 1.0


def test_a_graph_that_is_not_the_contracts_is_refused_naming_both(copy: Path) -> None:
    def wider(data: dict[str, Any]) -> None:
        data["graphs"]["encoder"]["outputs"]["encoded_projected"]["shape"][2] = 999

    edit(copy, wider)
    with pytest.raises(ModelContractError, match=r"encoded_projected(.|\n)*256(.|\n)*999"):
        load_model(copy)


def test_a_renamed_tensor_is_refused_naming_both(copy: Path) -> None:
    def renamed(data: dict[str, Any]) -> None:
        inputs = data["graphs"]["decoder_step"]["inputs"]
        inputs["label"] = inputs.pop("token")

    edit(copy, renamed)
    with pytest.raises(
        ModelContractError, match=r"inputs are (.|\n)*token(.|\n)*model.json says(.|\n)*label"
    ):
        load_model(copy)


def test_a_vocabulary_of_another_size_is_refused(copy: Path) -> None:
    def more_words(data: dict[str, Any]) -> None:
        data["decoder"]["vocabulary_size"] = data["decoder"]["blank_id"] = 300

    edit(copy, more_words)
    with pytest.raises(ModelContractError, match="has 256 pieces, model.json says vocabulary_size 300"):
        load_model(copy)


def test_an_altered_graph_is_refused(copy: Path) -> None:
    data = bytearray((copy / "encoder.onnx").read_bytes())
    data[len(data) // 2] ^= 0xFF
    (copy / "encoder.onnx").write_bytes(data)
    with pytest.raises(ModelIntegrityError, match="encoder.onnx was altered"):
        load_model(copy)


def test_a_graph_that_is_none_is_refused(copy: Path) -> None:
    (copy / "encoder.onnx").write_bytes(b"not a graph")

    def rehash(data: dict[str, Any]) -> None:
        data["files"]["encoder.onnx"] = {"sha256": sha256_of(copy / "encoder.onnx"), "bytes": 11}

    edit(copy, rehash)
    with pytest.raises(EngineError, match="ONNX Runtime cannot load this graph"):
        load_model(copy)


def test_a_tokenizer_that_is_none_is_refused(copy: Path) -> None:
    (copy / "tokenizer.model").write_bytes(b"not a tokenizer")

    def rehash(data: dict[str, Any]) -> None:
        data["files"]["tokenizer.model"] = {"sha256": sha256_of(copy / "tokenizer.model"), "bytes": 15}

    edit(copy, rehash)
    with pytest.raises(ModelContractError, match="expected a SentencePiece model"):
        load_model(copy)


def test_a_closed_engine_says_so() -> None:
    with load_model(DEMO, threads=1) as model:
        pass
    with pytest.raises(EngineError, match="was closed"):
        model.transcribe(noise(1.0))


def test_wrong_shapes_are_an_engine_error(model: Model) -> None:
    state = PredictorState(np.zeros((1, 1, 1), np.float32), np.zeros((1, 1, 1), np.float32))
    with pytest.raises(EngineError, match="hidden_in"):
        model.recognizer.engine.step(np.zeros((1, 1, 256), np.float32), np.array([256]), state)


@pytest.mark.parametrize("arguments", [{"engine": "abacus"}, {"device": "tpu"}, {"threads": 0}])
def test_arguments_out_of_range_are_refused(arguments: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="expected"):
        load_model(DEMO, **arguments)


def test_the_demo_model_keeps_its_promises() -> None:
    spec = read_model_directory(DEMO)
    assert spec.decoder.kind == "tdt"
    assert sum((DEMO / name).stat().st_size for name in spec.files if name.endswith(".onnx")) <= 25_000_000
    assert spec.licence == "Apache-2.0"


def test_nothing_is_written_into_the_users_home(tmp_path: Path) -> None:
    """ONNX Runtime keeps records of its use for its maker, unless it is told not to."""
    program = "from parakeet_asr import load_model; load_model('demo', threads=1).close()"
    environment = {name: os.environ[name] for name in os.environ if not name.startswith(("ORT_", "XDG_"))}
    environment |= {"HOME": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"}
    subprocess.run([sys.executable, "-c", program], env=environment, check=True)
    assert list(tmp_path.iterdir()) == []
