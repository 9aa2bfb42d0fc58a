"""From a ``.nemo`` file to an engine, without leaving anything on disk."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from parakeet_asr.core.choices import DeviceName, PrecisionName
from parakeet_asr.engines.pytorch.engine import TorchEngine
from parakeet_asr.engines.pytorch.model.transducer import load_transducer
from parakeet_asr.nemo.archive import open_archive
from parakeet_asr.nemo.config import parse_config


@dataclass(frozen=True, slots=True)
class LoadedArchive:
    """An engine, and what its tokens mean."""

    engine: TorchEngine
    tokenizer_model: bytes  # SentencePiece


def load_archive(
    path: Path, device: DeviceName, precision: PrecisionName, threads: int | None, *, compiled: bool = False
) -> LoadedArchive:
    """Load a ``.nemo`` file.

    Args:
        path: the archive.
        device: ``auto`` is CUDA where there is one.
        precision: see :class:`TorchEngine`.
        threads: of PyTorch in this process; None leaves them.
        compiled: see :class:`TorchEngine`.

    Raises:
        ArchiveError: it is missing, damaged, unsafe, or asks for something unsupported.
        EngineError: the device is not there.
    """
    if threads is not None:
        torch.set_num_threads(threads)
    place = _place(device)
    # Straight from the archive to where the weights are wanted; a device that is not there is named below.
    direct = place if place == "cpu" or torch.cuda.is_available() else "cpu"
    with open_archive(path, in_place=True, device=direct) as archive:
        config = parse_config(archive.config)
        model = load_transducer(config, archive.weights)
        tokenizer_model = archive.file(config.tokenizer_reference)
    engine = TorchEngine(model, path.stem, device=place, precision=precision, compiled=compiled)
    return LoadedArchive(engine, tokenizer_model)


def _place(device: DeviceName) -> str:
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    return device
