"""model.json: strict reading, and contradictions that must not pass."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from fakes import model_spec
from parakeet_asr.core.model_contract import parse_model_spec
from parakeet_asr.core.model_spec import FileSpec, TensorSpec
from parakeet_asr.errors import ModelContractError, ModelIntegrityError, ModelNotFoundError
from parakeet_asr.model_directory import read_model_directory, resolve_model, sha256_of


def data() -> dict[str, Any]:
    parsed = json.loads(json.dumps(model_spec().to_json()))
    assert isinstance(parsed, dict)
    return parsed


def test_what_is_written_is_read() -> None:
    assert parse_model_spec(data()) == model_spec()


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("format_version",), 2, "format_version is 2"),
        (("name",), 5, "name: expected str, found 5"),
        (("surprise",), 1, "unknown field 'surprise'"),
        (("features", "recipe"), "kaldi", "recipe: expected one of"),
        (("features", "mels"), "128", "mels: expected int, found '128'"),
        (("decoder", "blank_id"), 3, "blank_id"),
        (("decoder", "durations"), [], "durations"),
        (("decoder", "durations"), [0], "durations"),
        (("decoder", "durations"), [0, True], r"durations\[1\]: expected int, found True"),
        (("decoder", "kind"), "rnnt", "none for an rnnt decoder"),
        (("decoder", "max_symbols_per_step"), 0, "max_symbols_per_step"),
        (("encoder", "streaming", "chunk_frames"), 8, "no cache numbers"),
        (("graphs",), {}, "a graph named 'encoder'"),
        (("files",), {}, "a sha256 for"),
        (("files", "../evil"), {"sha256": "0", "bytes": 0}, "plain file names"),
        (("encoder",), [1], "encoder: expected an object"),
    ],
)
def test_contradictions_are_refused_by_name(path: tuple[str, ...], value: object, message: str) -> None:
    broken = data()
    target = broken
    for key in path[:-1]:
        target = target[key]
    target[path[-1]] = value
    with pytest.raises(ModelContractError, match=message):
        parse_model_spec(broken)


def test_a_missing_field_is_named() -> None:
    broken = data()
    del broken["decoder"]["joint_hidden"]
    with pytest.raises(ModelContractError, match="field 'joint_hidden' is missing"):
        parse_model_spec(broken)


def test_tensors_fit_by_type_rank_and_fixed_sizes() -> None:
    spec = TensorSpec("float32", ("batch", 128, "frames"))
    assert spec.accepts("float32", ("N", 128, 400))
    assert not spec.accepts("float16", ("N", 128, 400))
    assert not spec.accepts("float32", ("N", 80, 400))
    assert not spec.accepts("float32", ("N", 128))


def write_model(folder: Path) -> None:
    spec = model_spec().to_json()
    for name in spec["files"]:
        (folder / name).write_bytes(name.encode())
        spec["files"][name] = {"sha256": sha256_of(folder / name), "bytes": len(name)}
    (folder / "model.json").write_text(json.dumps(spec))


def test_files_are_checked(tmp_path: Path) -> None:
    write_model(tmp_path)
    assert read_model_directory(tmp_path).files["encoder.onnx"] == FileSpec(
        sha256_of(tmp_path / "encoder.onnx"), len("encoder.onnx")
    )
    (tmp_path / "encoder.onnx").write_bytes(b"encoder.OnnX")
    with pytest.raises(
        ModelIntegrityError, match=r"encoder.onnx was altered: its sha256 is \w+, model.json says"
    ):
        read_model_directory(tmp_path)
    read_model_directory(tmp_path, verify=False)
    (tmp_path / "encoder.onnx").write_bytes(b"short")
    with pytest.raises(ModelIntegrityError, match="has 5 bytes, model.json says 12"):
        read_model_directory(tmp_path, verify=False)
    (tmp_path / "encoder.onnx").unlink()
    with pytest.raises(ModelIntegrityError, match="is missing"):
        read_model_directory(tmp_path, verify=False)


def test_json_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "model.json").write_text("{")
    with pytest.raises(ModelContractError, match="expected a JSON object"):
        read_model_directory(tmp_path)


def test_models_are_found_by_path_and_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installed = tmp_path / "share" / "parakeet_asr" / "models" / "mine"
    installed.mkdir(parents=True)
    write_model(installed)
    assert resolve_model(installed) == installed
    monkeypatch.setenv("AMENT_PREFIX_PATH", f"/nowhere:{tmp_path}")
    assert resolve_model("mine") == installed
    with pytest.raises(ModelNotFoundError, match=r"looked at(.|\n)*share/parakeet_asr/models/yours"):
        resolve_model("yours")
    with pytest.raises(ModelNotFoundError):
        resolve_model("../mine")
