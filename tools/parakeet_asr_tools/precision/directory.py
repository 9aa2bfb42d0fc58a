"""A model directory in another precision: the same contract, other bytes."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from parakeet_asr.core.model_spec import ModelSpec
from parakeet_asr.errors import ConfigurationError
from parakeet_asr.model_directory import read_model_directory
from parakeet_asr_tools.onnx_export.builder import ExternalData
from parakeet_asr_tools.onnx_export.model_directory import CARD_FILE, EXTERNAL_ABOVE_BYTES
from parakeet_asr_tools.precision.emulation import emulate
from parakeet_asr_tools.precision.rewrite import rewrite
from parakeet_asr_tools.precision.rule import Rule
from parakeet_asr_tools.staging import hash_files, staged, write_spec

REPORT_FILE = "precision_report.json"
_DATA_FILE = "encoder.onnx.data"

Progress = Callable[[str], None]


def convert_directory(
    directory: Path, out: Path, rule: Rule, on_progress: Progress = lambda _: None
) -> ModelSpec:
    """Write ``directory`` again with low precision in its graphs.

    Tensors keep their names, types and shapes, so every engine that loads the one loads the other.

    Args:
        directory: a model directory.
        out: made when missing; files of an earlier conversion there are replaced once all is written.
        rule: what becomes low.
        on_progress: told what begins.

    Raises:
        ModelError: the directory cannot be used.
        ConfigurationError: ``out`` is the directory itself.
    """
    if out.resolve() == directory.resolve():
        raise ConfigurationError(f"{out}: expected another folder than the model's, its graphs are needed")
    spec = read_model_directory(directory)
    with staged(out) as folder:
        report = {"precision": rule.low, "source": spec.name, "graphs": {}}
        size = sum(file.bytes for file in spec.files.values())
        external = ExternalData(folder / _DATA_FILE) if size > EXTERNAL_ABOVE_BYTES else None
        for name, graph in spec.graphs.items():
            on_progress(f"converting {graph.file}")
            # the others' weights are small, and their graphs are read whole by simpler tools
            large = external if name.startswith("encoder") else None
            counts = rewrite(directory / graph.file, rule, folder / graph.file, large)
            report["graphs"] = {**report["graphs"], name: counts}  # type: ignore[dict-item]
        if external is not None:
            external.close()
        (folder / REPORT_FILE).write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
        on_progress("hashing")
        return _finish(directory, folder, spec, f"{spec.name}-{rule.low}")


def emulate_directory(directory: Path, out: Path) -> ModelSpec:
    """Write a converted directory as one that a CPU computes in float32 and rounds, see :mod:`.emulation`."""
    spec = read_model_directory(directory, verify=False)
    with staged(out) as folder:
        for graph in spec.graphs.values():
            emulate(directory / graph.file, folder / graph.file)
        return _finish(directory, folder, spec, f"{spec.name}-emulated")


def _finish(directory: Path, folder: Path, spec: ModelSpec, name: str) -> ModelSpec:
    shutil.copy(directory / spec.tokenizer, folder / spec.tokenizer)
    files = hash_files(folder)
    files.pop(REPORT_FILE, None)  # measured figures are added to it later
    if (directory / CARD_FILE).is_file():
        shutil.copy(directory / CARD_FILE, folder / CARD_FILE)
    new = replace(spec, name=name, files=files)
    write_spec(folder, new)
    return new
