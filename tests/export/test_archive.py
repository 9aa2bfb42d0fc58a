"""A .nemo file comes from anywhere: it is refused or read, and nothing else ever happens."""

from __future__ import annotations

import gzip
import io
import os
import pickle
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from parakeet_asr.errors import ArchiveError

torch = pytest.importorskip("torch")

from parakeet_asr.nemo import archive as archive_module  # noqa: E402
from parakeet_asr.nemo import direct  # noqa: E402
from parakeet_asr.nemo.archive import open_archive  # noqa: E402


def members_of(path: Path) -> dict[str, bytes]:
    with tarfile.open(path) as tar:
        return {member.name: tar.extractfile(member).read() for member in tar}  # type: ignore[union-attr]


def write_tar(path: Path, members: dict[str, bytes], extra: list[tarfile.TarInfo] | None = None) -> Path:
    with tarfile.open(path, "w") as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
        for info in extra or []:
            tar.addfile(info)
    return path


def refused(path: Path, match: str) -> None:
    for in_place in (False, True):
        with pytest.raises(ArchiveError, match=match), open_archive(path, in_place=in_place):
            pass


def link(kind: bytes, name: str = "tokenizer.vocab", target: str = "/etc/passwd") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def test_reads_what_was_written(tiny_archive: Callable[..., Path]) -> None:
    with open_archive(tiny_archive()) as archive:
        assert archive.config["encoder"]["n_layers"] == 2
        assert archive.file("nemo:tokenizer.model")
        assert archive.weights["joint.enc.weight"].shape == (28, 32)


def test_weights_read_in_place_are_those_that_are_mapped(
    tiny_archive: Callable[..., Path], tmp_path: Path
) -> None:
    plain = tiny_archive()
    zipped = tmp_path / "zipped.nemo"
    zipped.write_bytes(gzip.compress(plain.read_bytes()))
    with open_archive(plain) as mapped:
        expected = {name: value.clone() for name, value in mapped.weights.items()}
    for path in (plain, zipped):
        with open_archive(path, in_place=True) as archive:
            assert archive.weights.keys() == expected.keys()
            assert all(torch.equal(archive.weights[name], value) for name, value in expected.items())


def test_reads_gzip(tiny_archive: Callable[..., Path], tmp_path: Path) -> None:
    zipped = tmp_path / "zipped.nemo"
    zipped.write_bytes(gzip.compress(tiny_archive().read_bytes()))
    with open_archive(zipped) as archive:
        assert "joint.enc.weight" in archive.weights


@pytest.mark.parametrize("name", ["../evil", "a/../../evil", "/tmp/evil", "..\\evil"])
def test_member_that_leaves_the_archive(tiny_archive: Callable[..., Path], tmp_path: Path, name: str) -> None:
    path = write_tar(tmp_path / "bad.nemo", {**members_of(tiny_archive()), name: b"evil"})
    before = sorted(tmp_path.parent.rglob("*"))
    refused(path, "outside of the archive")
    assert sorted(tmp_path.parent.rglob("*")) == before


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE])
def test_links_and_devices(tiny_archive: Callable[..., Path], tmp_path: Path, kind: bytes) -> None:
    path = write_tar(tmp_path / "bad.nemo", members_of(tiny_archive()), [link(kind)])
    refused(path, "link or a device")


class _Payload:
    def __init__(self, proof: Path) -> None:
        self.proof = proof

    def __reduce__(self) -> tuple[Any, ...]:
        return (os.mkdir, (str(self.proof),))


@pytest.mark.parametrize("legacy", [False, True], ids=["torch zip", "bare pickle"])
def test_pickle_payload_does_not_run(tiny_archive: Callable[..., Path], tmp_path: Path, legacy: bool) -> None:
    proof, checkpoint = tmp_path / "ran", io.BytesIO()
    if legacy:
        checkpoint.write(pickle.dumps(_Payload(proof)))
    else:
        torch.save({"weight": _Payload(proof)}, checkpoint)
    members = {**members_of(tiny_archive()), "./model_weights.ckpt": checkpoint.getvalue()}
    refused(write_tar(tmp_path / "bad.nemo", members), "run code or is damaged")
    assert not proof.exists()


def test_checkpoint_that_is_no_state_dict(tiny_archive: Callable[..., Path], tmp_path: Path) -> None:
    checkpoint = io.BytesIO()
    torch.save({"state_dict": {"weight": torch.zeros(2)}}, checkpoint)
    members = {**members_of(tiny_archive()), "./model_weights.ckpt": checkpoint.getvalue()}
    refused(write_tar(tmp_path / "bad.nemo", members), "no dense tensor")


@pytest.mark.parametrize("kept", [0.0, 0.02, 0.3, 0.7, 0.95])
@pytest.mark.parametrize("zipped", [False, True], ids=["tar", "tar.gz"])
def test_truncated(tiny_archive: Callable[..., Path], tmp_path: Path, kept: float, zipped: bool) -> None:
    content = tiny_archive().read_bytes()
    content = gzip.compress(content, 1) if zipped else content
    path = tmp_path / "short.nemo"
    path.write_bytes(content[: int(kept * len(content))])
    refused(path, "damaged|truncated|not a .nemo")


def test_truncated_checkpoint(tiny_archive: Callable[..., Path], tmp_path: Path) -> None:
    members = members_of(tiny_archive())
    members["./model_weights.ckpt"] = members["./model_weights.ckpt"][:-5000]
    refused(write_tar(tmp_path / "short.nemo", members), "damaged")


def test_garbage(tmp_path: Path) -> None:
    path = tmp_path / "garbage.nemo"
    path.write_bytes(bytes(range(256)) * 40)
    refused(path, "damaged or not a .nemo archive")
    refused(tmp_path / "absent.nemo", "no such file")


@pytest.mark.parametrize("name", ["./model_config.yaml", "./model_weights.ckpt"])
def test_required_members(tiny_archive: Callable[..., Path], tmp_path: Path, name: str) -> None:
    members = members_of(tiny_archive())
    del members[name]
    refused(write_tar(tmp_path / "bad.nemo", members), name[2:])


def test_member_twice(tiny_archive: Callable[..., Path], tmp_path: Path) -> None:
    members = members_of(tiny_archive())
    members["model_config.yaml"] = members["./model_config.yaml"]
    refused(write_tar(tmp_path / "bad.nemo", members), "appears twice")


def test_yaml_that_makes_objects(tiny_archive: Callable[..., Path], tmp_path: Path) -> None:
    members = members_of(tiny_archive())
    members["./model_config.yaml"] = b"encoder: !!python/object/apply:os.mkdir [evil]"
    refused(write_tar(tmp_path / "bad.nemo", members), "not plain YAML")


def test_sizes_are_bounded(tiny_archive: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    path = tiny_archive()
    with monkeypatch.context() as patch:
        patch.setattr(archive_module, "MAX_WEIGHTS_BYTES", 1000)
        refused(path, "more than the limit of 1000")
    monkeypatch.setattr(archive_module, "MAX_MEMBERS", 2)
    refused(path, "more than 2 members")


def test_tokenizer_that_is_not_there(tiny_archive: Callable[..., Path]) -> None:
    with (
        open_archive(tiny_archive()) as archive,
        pytest.raises(ArchiveError, match=r"'other.model'.*tokenizer.model"),
    ):
        archive.file("nemo:other.model")


def test_tensors_read_directly_are_those_that_torch_loads(
    tiny_archive: Callable[..., Path], tmp_path: Path
) -> None:
    checkpoint = tmp_path / "weights.ckpt"
    members = members_of(tiny_archive())
    checkpoint.write_bytes(next(content for name, content in members.items() if name.endswith(".ckpt")))
    expected = torch.load(checkpoint, weights_only=True)
    with checkpoint.open("rb") as stream:
        found = direct.read_to_device(stream, "cpu")
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], value) for name, value in expected.items())


class Evil:
    def __reduce__(self) -> tuple[Any, ...]:
        return (os.system, ("touch pwned",))


@pytest.mark.parametrize(
    "content", [{"a": Evil()}, {"a": 1}, [torch.zeros(1)], {"a": torch.zeros(2).to_sparse()}], ids=str
)
def test_what_is_no_plain_tensor_is_not_read_directly(content: Any, tmp_path: Path) -> None:
    checkpoint = tmp_path / "weights.ckpt"
    torch.save(content, checkpoint)
    with checkpoint.open("rb") as stream, pytest.raises(direct.NotDirectError):
        direct.read_to_device(stream, "cpu")
    assert not Path("pwned").exists()


def test_a_tensor_beyond_its_storage_is_not_read_directly(tmp_path: Path) -> None:
    checkpoint = tmp_path / "weights.ckpt"
    torch.save({"a": torch.arange(8)}, checkpoint)
    content = checkpoint.read_bytes()
    with pytest.raises(direct.NotDirectError):
        direct.read_to_device(io.BufferedReader(io.BytesIO(grown(content))), "cpu")  # type: ignore[type-var]


def grown(content: bytes) -> bytes:
    """A checkpoint of 8 elements that says its tensor has 9; members are stored, sizes stay the same."""
    source, sink = io.BytesIO(content), io.BytesIO()
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(sink, "w") as new:
        for name in old.namelist():
            data = old.read(name)
            new.writestr(
                name, data.replace(b"K\x08\x85", b"K\x09\x85") if name.endswith("data.pkl") else data
            )
    return sink.getvalue()
