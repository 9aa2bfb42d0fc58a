"""The export command: deterministic, checked, and quiet about its own insides."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from parakeet_asr.core.model_contract import parse_model_spec  # noqa: E402
from parakeet_asr.errors import ArchiveError  # noqa: E402
from parakeet_asr.nemo.archive import open_archive  # noqa: E402
from parakeet_asr_tools.cli import main  # noqa: E402
from parakeet_asr_tools.nemo.repack import repack_float16  # noqa: E402

DEMO = Path(__file__).parents[2] / "models" / "demo"


def hashes(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


def test_same_input_same_bytes(tiny_archive: Callable[..., Path], tmp_path: Path) -> None:
    archive = tiny_archive()
    for folder in ("one", "two/deeper"):
        assert main(["export", str(archive), str(tmp_path / folder), "--weights", "float16"]) == 0
    assert hashes(tmp_path / "one") == hashes(tmp_path / "two" / "deeper")
    assert tiny_archive("again.nemo").read_bytes() == archive.read_bytes()
    assert tiny_archive("other.nemo", seed=1).read_bytes() != archive.read_bytes()
    for path in (tmp_path / "one").iterdir():
        assert str(tmp_path).encode() not in path.read_bytes(), path


def test_model_directory(tiny_archive: Callable[..., Path], tmp_path: Path) -> None:
    archive, out = tiny_archive(), tmp_path / "out"
    assert main(["export", str(archive), str(out), "--name", "tiny", "--language", "en"]) == 0
    spec = parse_model_spec(json.loads((out / "model.json").read_text("utf-8")))
    assert (spec.name, spec.language, spec.features.mels) == ("tiny", "en", 40)
    assert spec.source.sha256 == hashlib.sha256(archive.read_bytes()).hexdigest()
    assert set(spec.graphs) == {"encoder", "decoder_step", "predictor", "joint"}
    found = hashes(out)
    assert {name: file.sha256 for name, file in spec.files.items()} == {
        name: found[name] for name in spec.files
    }
    assert set(found) - set(spec.files) == {"model.json", "README.md"}
    assert "`encoder.onnx`" in (out / "README.md").read_text("utf-8")


def test_demo_model_is_what_its_archive_gives(tmp_path: Path) -> None:
    command = ["export", str(DEMO / "demo.nemo"), str(tmp_path), "--weights", "float16", "--name", "demo"]
    command += ["--language", "en", "--licence", "Apache-2.0", "--card", str(DEMO / "README.md")]
    assert main(command) == 0
    assert hashes(tmp_path).items() <= hashes(DEMO).items()
    graphs = sum(path.stat().st_size for path in DEMO.glob("*.onnx"))
    assert graphs < 25e6


@pytest.mark.parametrize("content", [b"", b"no archive", bytes(2000)])
def test_errors_are_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes) -> None:
    path = tmp_path / "broken[1].nemo"
    path.write_bytes(content)
    assert main(["export", str(path), str(tmp_path / "out")]) == 1
    message = capsys.readouterr().err
    assert "error:" in message
    assert "broken[1].nemo" in message
    assert "Traceback" not in message
    assert not (tmp_path / "out").exists()


def test_repack_loses_nothing(tiny_archive: Callable[..., Path], tmp_path: Path) -> None:
    archive, small = tiny_archive(), tmp_path / "small.nemo"
    assert main(["repack", str(archive), str(small), "--float16"]) == 0
    assert main(["repack", str(archive), str(tmp_path / "again.nemo"), "--float16"]) == 0
    assert small.read_bytes() == (tmp_path / "again.nemo").read_bytes()
    assert small.stat().st_size < archive.stat().st_size
    with open_archive(archive) as before, open_archive(small) as after:
        assert before.config == after.config
        assert before.files == after.files
        for name, tensor in before.weights.items():
            assert torch.equal(tensor, after.weights[name].to(tensor.dtype)), name
        assert after.weights["joint.enc.weight"].dtype == torch.float16


def test_repack_refuses_to_lose(tiny_archive: Callable[..., Path], tmp_path: Path) -> None:
    with open_archive(tiny_archive()) as archive:
        archive.weights["joint.enc.weight"] = archive.weights["joint.enc.weight"] + 1e-6
        with pytest.raises(ArchiveError, match="would change 1 of .* first joint.enc.weight"):
            repack_float16(archive, tmp_path / "small.nemo")
    assert not (tmp_path / "small.nemo").exists()


def test_values_beyond_float16_are_refused(tiny_archive: Callable[..., Path], tmp_path: Path) -> None:
    from parakeet_asr_tools.onnx_export.model_directory import ExportOptions, export_model

    with open_archive(tiny_archive()) as archive:
        name = "encoder.layers.0.feed_forward1.linear1.weight"
        archive.weights[name] = archive.weights[name] * 1e8
        with pytest.raises(ArchiveError, match="linear1.weight: values beyond float16"):
            export_model(archive, tmp_path / "out", ExportOptions(weights="float16"))
    assert list((tmp_path / "out").iterdir()) == []
