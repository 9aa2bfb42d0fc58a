"""Read a ``.nemo`` archive that may come from anywhere.

A ``.nemo`` file is a tar, sometimes gzipped, of ``model_config.yaml``, ``model_weights.ckpt`` (a torch
zip) and the tokenizer's files. Nothing in it is trusted: members are never extracted under their own
names, links, devices and paths that leave the archive are refused before anything is read, sizes are
bounded while streaming, and the checkpoint is unpickled with ``weights_only``.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import pickle
import shutil
import tarfile
import tempfile
import warnings
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any

import torch
import yaml
from torch import Tensor

from parakeet_asr.errors import ArchiveError

CONFIG_MEMBER = "model_config.yaml"
WEIGHTS_MEMBER = "model_weights.ckpt"

MAX_MEMBERS = 256
MAX_TEXT_BYTES = 16 << 20  # configuration and tokenizer files
MAX_WEIGHTS_BYTES = 32 << 30
_COPY_BYTES = 4 << 20
_DAMAGED = (tarfile.TarError, EOFError, OSError, zlib.error, gzip.BadGzipFile)


@dataclass(frozen=True, slots=True)
class NemoArchive:
    """What a ``.nemo`` file holds. Weights may be memory mapped: valid while the archive is open."""

    path: Path
    sha256: str
    config: dict[str, Any]  # model_config.yaml
    config_text: bytes  # the same, as it was written
    weights: dict[str, Tensor]
    files: dict[str, bytes]  # every other regular member by its plain name: tokenizer and vocabulary

    def file(self, reference: str) -> bytes:
        """The member that the configuration means with ``nemo:<name>``.

        Raises:
            ArchiveError: there is none of that name.
        """
        name = reference.removeprefix("nemo:")
        if name not in self.files:
            raise ArchiveError(
                f"{self.path}: the configuration names {name!r}, the archive has {sorted(self.files)}"
            )
        return self.files[name]


@contextlib.contextmanager
def open_archive(path: Path, scratch_dir: Path | None = None) -> Iterator[NemoArchive]:
    """Open a ``.nemo`` file for reading.

    Args:
        path: the archive.
        scratch_dir: where the checkpoint is unpacked to be memory mapped, removed at the end; None is
            the system's temporary directory. It needs as much room as the checkpoint.

    Raises:
        ArchiveError: it is missing, damaged, unsafe, or no ``.nemo`` file.
    """
    if not path.is_file():
        raise ArchiveError(f"{path}: no such file; expected a .nemo archive")
    with tempfile.TemporaryDirectory(prefix="parakeet-asr-", dir=scratch_dir) as scratch:
        checkpoint = Path(scratch) / "weights.ckpt"
        files = _read_members(path, checkpoint)
        config_text = files.pop(CONFIG_MEMBER)
        yield NemoArchive(
            path=path,
            sha256=file_sha256(path),
            config=_parse_config(path, config_text),
            config_text=config_text,
            weights=load_checkpoint(checkpoint, f"{path}: {WEIGHTS_MEMBER}"),
            files=files,
        )


def file_sha256(path: Path) -> str:
    """Hexadecimal SHA-256 of a file, read in pieces."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(_COPY_BYTES):
            digest.update(block)
    return digest.hexdigest()


def _read_members(path: Path, checkpoint: Path) -> dict[str, bytes]:
    """Check every member, stream the checkpoint to ``checkpoint`` and return the small files."""
    try:
        with tarfile.open(path, _tar_mode(path)) as tar:
            members = _checked_members(path, tar)
            for required in (CONFIG_MEMBER, WEIGHTS_MEMBER):
                if required not in members:
                    raise ArchiveError(
                        f"{path}: no {required} inside, found {sorted(members)}; not a .nemo archive"
                    )
            files: dict[str, bytes] = {}
            for name, member in members.items():
                source = tar.extractfile(member)
                if source is None:
                    raise ArchiveError(f"{path}: member {name!r} has no content")
                if name == WEIGHTS_MEMBER:
                    with checkpoint.open("wb") as sink:
                        shutil.copyfileobj(source, sink, _COPY_BYTES)
                    found = checkpoint.stat().st_size
                else:
                    files[name] = source.read()
                    found = len(files[name])
                if found != member.size:
                    raise ArchiveError(
                        f"{path}: member {name!r} ends after {found} of {member.size} bytes: truncated"
                    )
            return files
    except _DAMAGED as error:
        raise ArchiveError(
            f"{path}: damaged or not a .nemo archive ({error}); copy or download it again"
        ) from error


def _tar_mode(path: Path) -> Any:
    """Plain tar or gzip by magic number; never the other codecs that tarfile would try."""
    with path.open("rb") as stream:
        return "r:gz" if stream.read(2) == b"\x1f\x8b" else "r:"


def _checked_members(path: Path, tar: tarfile.TarFile) -> dict[str, tarfile.TarInfo]:
    members: dict[str, tarfile.TarInfo] = {}
    for count, member in enumerate(tar):
        if count >= MAX_MEMBERS:
            raise ArchiveError(f"{path}: more than {MAX_MEMBERS} members; not a .nemo archive")
        pure = PurePosixPath(member.name)
        if pure.is_absolute() or ".." in pure.parts or "\\" in member.name:
            raise ArchiveError(f"{path}: member {member.name!r} points outside of the archive; refused")
        if member.isdir():
            continue
        if not member.isreg():
            raise ArchiveError(f"{path}: member {member.name!r} is a link or a device; refused")
        name = str(pure)
        limit = MAX_WEIGHTS_BYTES if name == WEIGHTS_MEMBER else MAX_TEXT_BYTES
        if member.size > limit:
            raise ArchiveError(
                f"{path}: member {name!r} has {member.size} bytes, more than the limit of {limit}"
            )
        if name in members:
            raise ArchiveError(f"{path}: member {name!r} appears twice; refused")
        members[name] = member
    return members


def _parse_config(path: Path, text: bytes) -> dict[str, Any]:
    try:
        config = yaml.safe_load(text)
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise ArchiveError(f"{path}: {CONFIG_MEMBER} is not plain YAML: {error}") from error
    if not isinstance(config, Mapping):
        raise ArchiveError(f"{path}: {CONFIG_MEMBER} holds {type(config).__name__}, expected a mapping")
    return dict(config)


def load_checkpoint(path: Path, what: str) -> dict[str, Tensor]:
    """Load a state dict without running anything that is pickled in it.

    Args:
        path: the checkpoint file.
        what: its name in messages.

    Raises:
        ArchiveError: it is damaged, wants to run code, or is no flat dictionary of dense tensors.
    """
    try:
        with path.open("rb") as stream:
            is_zip = _is_bounded_zip(stream, what)
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore"
            )  # about pickles that torch did not write: refused or loaded, either is clear
            loaded = torch.load(path, map_location="cpu", weights_only=True, mmap=is_zip)
    except pickle.UnpicklingError as error:
        reason = str(error).splitlines()[0]
        raise ArchiveError(f"{what}: wants to run code or is damaged, refused ({reason})") from error
    except (RuntimeError, EOFError, OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise ArchiveError(f"{what}: damaged ({str(error).splitlines()[0]})") from error
    if not isinstance(loaded, Mapping):
        raise ArchiveError(f"{what}: holds {type(loaded).__name__}, expected a dictionary of tensors")
    for key, value in loaded.items():
        if not isinstance(key, str) or not isinstance(value, Tensor) or value.layout != torch.strided:
            raise ArchiveError(f"{what}: entry {key!r} is no dense tensor")
    return dict(loaded)


def _is_bounded_zip(stream: IO[bytes], what: str) -> bool:
    """Whether it is a torch zip; refuses one that would unpack beyond the limit."""
    if not zipfile.is_zipfile(stream):
        return False
    with zipfile.ZipFile(stream) as archive:
        infos = archive.infolist()
    if sum(info.file_size for info in infos) > MAX_WEIGHTS_BYTES:
        raise ArchiveError(f"{what}: unpacks to more than {MAX_WEIGHTS_BYTES} bytes; refused")
    if any(info.compress_type != zipfile.ZIP_STORED for info in infos):
        raise ArchiveError(f"{what}: has compressed entries, which torch never writes; refused")
    return True
