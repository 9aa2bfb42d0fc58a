"""Write ``.nemo`` archives, the same bytes for the same content."""

from __future__ import annotations

import tarfile
import tempfile
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from parakeet_asr.nemo.archive import CONFIG_MEMBER, WEIGHTS_MEMBER


def write_archive(
    path: Path, config_text: bytes, weights: Mapping[str, Tensor], files: Mapping[str, bytes]
) -> None:
    """Write a ``.nemo`` file that NeMo restores.

    Args:
        path: replaced when it exists, and only once everything is written.
        config_text: ``model_config.yaml``.
        weights: the state dict.
        files: further members by name: tokenizer and vocabulary.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".nemo-", dir=path.parent) as scratch:
        members: dict[str, Path] = {}
        for name, content in {CONFIG_MEMBER: config_text, **files}.items():
            members[name] = Path(scratch) / f"member-{len(members)}"
            members[name].write_bytes(content)
        # torch names the folder inside of its zip after the file
        members[WEIGHTS_MEMBER] = Path(scratch) / WEIGHTS_MEMBER
        torch.save(dict(weights), members[WEIGHTS_MEMBER])
        archive = Path(scratch) / "archive.tar"
        with tarfile.open(archive, "w", format=tarfile.GNU_FORMAT) as tar:
            for name in sorted(members):
                _add(tar, name, members[name])
        archive.replace(path)


def _add(tar: tarfile.TarFile, name: str, source: Path) -> None:
    """Add a file without its date, owner and rights. NeMo looks members up with ``./`` before the name."""
    member = tarfile.TarInfo(f"./{name}")
    member.size, member.mode = source.stat().st_size, 0o644
    with source.open("rb") as stream:
        tar.addfile(member, stream)
