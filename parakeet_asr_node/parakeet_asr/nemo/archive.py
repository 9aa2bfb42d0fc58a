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
import shutil
import tarfile
import tempfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import yaml
from torch import Tensor

from parakeet_asr.errors import ArchiveError
from parakeet_asr.nemo.checkpoint import MAX_WEIGHTS_BYTES, CheckpointPlace, load_checkpoint

CONFIG_MEMBER = "model_config.yaml"
WEIGHTS_MEMBER = "model_weights.ckpt"

MAX_MEMBERS = 256
MAX_TEXT_BYTES = 16 << 20  # configuration and tokenizer files
_COPY_BYTES = 4 << 20
_MAX_DEPTH = 64  # of the configuration; NeMo's has 5
_PLAIN = "r:"
_DAMAGED = (tarfile.TarError, EOFError, OSError, zlib.error, gzip.BadGzipFile)


@dataclass(frozen=True, slots=True)
class NemoArchive:
    """What a ``.nemo`` file holds. Weights may be memory mapped: valid while the archive is open."""

    path: Path
    config: dict[str, Any]  # model_config.yaml
    config_text: bytes  # the same, as it was written
    weights: dict[str, Tensor]
    files: dict[str, bytes]  # every other regular member by its plain name: tokenizer and vocabulary

    @property
    def sha256(self) -> str:
        """Of the whole file, which is read for it."""
        return file_sha256(self.path)

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
def open_archive(
    path: Path, scratch_dir: Path | None = None, *, in_place: bool = False, device: str = "cpu"
) -> Iterator[NemoArchive]:
    """Open a ``.nemo`` file for reading.

    Args:
        path: the archive.
        scratch_dir: where the checkpoint is unpacked to be memory mapped, removed at the end; None is
            the system's temporary directory. It needs as much room as the checkpoint.
        in_place: read the weights into memory from where they lie in the archive, which is faster where all
            of them are wanted; an archive that is gzipped is unpacked all the same.
        device: where the weights shall be, as torch names it.

    Raises:
        ArchiveError: it is missing, damaged, unsafe, or no ``.nemo`` file.
    """
    if not path.is_file():
        raise ArchiveError(f"{path}: no such file; expected a .nemo archive")
    with tempfile.TemporaryDirectory(prefix="parakeet-asr-", dir=scratch_dir) as scratch:
        unpacked = Path(scratch) / "weights.ckpt"
        checkpoint, files = _read_members(path, unpacked, in_place)
        config_text = files.pop(CONFIG_MEMBER)
        yield NemoArchive(
            path=path,
            config=_parse_config(path, config_text),
            config_text=config_text,
            weights=load_checkpoint(checkpoint, f"{path}: {WEIGHTS_MEMBER}", device),
            files=files,
        )


def file_sha256(path: Path) -> str:
    """Hexadecimal SHA-256 of a file, read in pieces."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(_COPY_BYTES):
            digest.update(block)
    return digest.hexdigest()


def _read_members(path: Path, unpacked: Path, in_place: bool) -> tuple[CheckpointPlace, dict[str, bytes]]:
    """Check every member; where the checkpoint can be read, and the small files."""
    checkpoint = CheckpointPlace(unpacked)
    try:
        mode = _tar_mode(path)
        with tarfile.open(path, mode) as tar:
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
                if name == WEIGHTS_MEMBER and in_place and mode == _PLAIN and not member.issparse():
                    checkpoint = CheckpointPlace(path, member.offset_data, member.size)
                    found = min(member.size, path.stat().st_size - member.offset_data)
                elif name == WEIGHTS_MEMBER:
                    with unpacked.open("wb") as sink:
                        shutil.copyfileobj(source, sink, _COPY_BYTES)
                    found = unpacked.stat().st_size
                else:
                    files[name] = source.read()
                    found = len(files[name])
                if found != member.size:
                    raise ArchiveError(
                        f"{path}: member {name!r} ends after {found} of {member.size} bytes: truncated"
                    )
            return checkpoint, files
    except _DAMAGED as error:
        raise ArchiveError(
            f"{path}: damaged or not a .nemo archive ({error}); copy or download it again"
        ) from error


def _tar_mode(path: Path) -> Any:
    """Plain tar or gzip by magic number; never the other codecs that tarfile would try."""
    with path.open("rb") as stream:
        return "r:gz" if stream.read(2) == b"\x1f\x8b" else _PLAIN


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
        config = _load_yaml(text)
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise ArchiveError(f"{path}: {CONFIG_MEMBER} is not plain YAML: {error}") from error
    if not isinstance(config, Mapping):
        raise ArchiveError(f"{path}: {CONFIG_MEMBER} holds {type(config).__name__}, expected a mapping")
    return dict(config)


def _load_yaml(text: bytes) -> Any:
    """As ``yaml.safe_load``, with libyaml where it is: v3's 8192 pieces take 0.9 s without.

    libyaml's loader recurses in C, where Python does not count: what nests too deeply is refused before.
    """
    loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    depth = 0
    for event in yaml.parse(text, Loader=loader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > _MAX_DEPTH:
            raise yaml.YAMLError(f"nested deeper than {_MAX_DEPTH} levels")
    return yaml.load(text, Loader=loader)  # noqa: S506  # both of them are safe loaders
