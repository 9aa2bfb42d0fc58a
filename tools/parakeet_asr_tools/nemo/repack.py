"""Store the weights of an archive in float16 where, and only where, that loses nothing."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from parakeet_asr.errors import ArchiveError
from parakeet_asr.nemo.archive import NemoArchive
from parakeet_asr_tools.nemo.writing import write_archive

CONSTANT_PREFIXES = ("preprocessor.",)
"""Window and mel filters: constants that NeMo stores beside the trained weights; they stay as they are."""


def repack_float16(archive: NemoArchive, out: Path) -> None:
    """Write the archive again with float16 weights.

    Raises:
        ArchiveError: a weight is not exactly representable; nothing is written.
    """
    weights = to_float16(archive.weights, str(archive.path))
    write_archive(out, archive.config_text, weights, archive.files)


def to_float16(weights: Mapping[str, Tensor], what: str) -> dict[str, Tensor]:
    """Every floating-point weight as float16.

    Raises:
        ArchiveError: naming the first weights that would lose something, and how much.
    """
    halves: dict[str, Tensor] = {}
    lossy: list[str] = []
    for name, tensor in weights.items():
        if not tensor.dtype.is_floating_point or name.startswith(CONSTANT_PREFIXES):
            halves[name] = tensor
            continue
        half = tensor.to(torch.float16)
        if not torch.equal(half.to(tensor.dtype), tensor):
            loss = (half.to(torch.float64) - tensor.to(torch.float64)).abs().max().item()
            lossy.append(f"{name} (by up to {loss:.2g})")
        halves[name] = half
    if lossy:
        raise ArchiveError(
            f"{what}: float16 would change {len(lossy)} of {len(weights)} weights, "
            f"first {', '.join(lossy[:3])}; keep this archive as it is "
            "(export --weights float16 rounds knowingly)"
        )
    return halves
