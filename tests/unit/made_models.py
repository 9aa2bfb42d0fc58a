"""Models of random weights that tests make for themselves, once per run; needs the tools (PyTorch)."""

from __future__ import annotations

import atexit
import functools
import json
import shutil
import tempfile
from pathlib import Path

import numpy as np
import pytest

from parakeet_asr.records import FloatArray
from parakeet_asr.sources.audio_file import read_audio

SAMPLES = Path(__file__).resolve().parents[2] / "examples" / "samples"
SEED = 0


@functools.cache
def cache_aware_archive(decoder: str) -> Path:
    """The .nemo file of ``make-nemo --preset cache-aware --decoder DECODER``."""
    pytest.importorskip("torch")
    pytest.importorskip("parakeet_asr_tools", reason="the tools are not installed: make setup")
    from parakeet_asr_tools.making.presets import PRESETS
    from parakeet_asr_tools.making.random_model import make_archive

    folder = Path(tempfile.mkdtemp(prefix="parakeet-asr-test-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    path = folder / f"cache-aware-{decoder}.nemo"
    make_archive(path, PRESETS["cache-aware"], SEED, decoder)  # type: ignore[arg-type]
    return path


@functools.cache
def cache_aware_model(decoder: str) -> Path:
    """The same, exported."""
    archive = cache_aware_archive(decoder)  # first: it skips where there are no tools
    from parakeet_asr.nemo.archive import open_archive
    from parakeet_asr_tools.onnx_export.model_directory import ExportOptions, export_model

    out = archive.with_suffix("")
    with open_archive(archive) as opened:
        export_model(opened, out, ExportOptions())
    return out


@functools.cache
def speech() -> FloatArray:
    """The repository's samples in a row, [n] at 16 kHz: the longest real speech that every clone has."""
    rows = (SAMPLES / "manifest.jsonl").read_text(encoding="utf-8").splitlines()
    names = [json.loads(row)["audio"] for row in rows if row.strip()]
    joined: FloatArray = np.concatenate([read_audio(SAMPLES / name) for name in names])
    joined.flags.writeable = False
    return joined
