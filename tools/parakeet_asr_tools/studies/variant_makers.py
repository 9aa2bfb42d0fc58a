"""Makers of the directories that ``study variants`` measures; each imports what it needs when it runs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from parakeet_asr_tools.optimizing.quantization import Method

Maker = Callable[[Path], Path]  # a folder to write to -> the model directory
RANDOM: dict[str, tuple[Any, Any]] = {
    "RNNT of demo's size": ("demo", "rnnt"),
    "cache-aware RNNT": ("cache-aware", "rnnt"),
}
"""Preset and decoder of models of which only size, memory and speed are of interest."""


def as_it_is(directory: Path) -> Maker:
    """Nothing is made."""
    return lambda _: directory


def changed(model: Path, method: str, name: str = "") -> Maker:
    """The encoder fused (``fused``), in FP16 (``fp16``) or quantised without fusion (a method of it)."""

    def make(out: Path) -> Path:
        from parakeet_asr_tools.optimizing.directory import OptimizeOptions, optimize_directory
        from parakeet_asr_tools.optimizing.quantization import Quantization
        from parakeet_asr_tools.precision.directory import convert_directory
        from parakeet_asr_tools.precision.rule import Rule

        folder = out / (name or method)
        if method == "fp16":
            convert_directory(model, folder, Rule(low="fp16"))
        elif method == "fused":
            optimize_directory(model, folder, OptimizeOptions(quantization=None))
        else:
            quantization = Quantization(cast("Method", method))
            optimize_directory(model, folder, OptimizeOptions(fusion=False, quantization=quantization))
        return folder

    return make


def bundle(archive: Path) -> Maker:
    """For ONNX Runtime GenAI, in the folder ``genai``."""

    def make(out: Path) -> Path:
        from parakeet_asr_tools.genai.bundle import GENAI

        return _exported(archive, out / "genai", GENAI)

    return make


def random_model(name: str) -> Maker:
    """One of ``RANDOM``."""

    def make(out: Path) -> Path:
        from parakeet_asr_tools.making.presets import PRESETS
        from parakeet_asr_tools.making.random_model import make_archive
        from parakeet_asr_tools.onnx_export.model_directory import OURS

        preset, decoder = RANDOM[name]
        archive = out / f"{name.replace(' ', '-')}.nemo"
        make_archive(archive, PRESETS[preset], seed=0, decoder=decoder)
        return _exported(archive, archive.with_suffix(""), OURS)

    return make


def _exported(archive: Path, out: Path, layout: Any) -> Path:
    from parakeet_asr.nemo.archive import open_archive
    from parakeet_asr_tools.onnx_export.model_directory import ExportOptions, export_model

    with open_archive(archive) as opened:
        export_model(opened, out, ExportOptions(), layout=layout)
    return out
