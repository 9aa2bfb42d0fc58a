"""A model directory in another precision: the same contract, other bytes."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from parakeet_asr.core.model_spec import FileSpec, ModelSpec
from parakeet_asr.errors import ConfigurationError
from parakeet_asr.model_directory import MODEL_FILE, read_model_directory, sha256_of
from parakeet_asr_tools.onnx_export.builder import ExternalData
from parakeet_asr_tools.onnx_export.model_directory import CARD_FILE, EXTERNAL_ABOVE_BYTES
from parakeet_asr_tools.precision.emulation import emulate
from parakeet_asr_tools.precision.rewrite import rewrite
from parakeet_asr_tools.precision.rule import Rule

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
    with _staged(out) as folder:
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
    with _staged(out) as folder:
        for graph in spec.graphs.values():
            emulate(directory / graph.file, folder / graph.file)
        return _finish(directory, folder, spec, f"{spec.name}-emulated")


@contextmanager
def _staged(out: Path) -> Iterator[Path]:
    """A folder whose files replace those of ``out`` at the end."""
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".convert-", dir=out) as scratch:
        yield Path(scratch)
        # model.json last: a directory that was left half-way does not pass for a model
        for file in sorted(Path(scratch).iterdir(), key=lambda path: path.name == MODEL_FILE):
            file.replace(out / file.name)


def _finish(directory: Path, folder: Path, spec: ModelSpec, name: str) -> ModelSpec:
    shutil.copy(directory / spec.tokenizer, folder / spec.tokenizer)
    files = {p.name: FileSpec(sha256_of(p), p.stat().st_size) for p in sorted(folder.iterdir())}
    files.pop(REPORT_FILE, None)  # measured figures are added to it later
    if (directory / CARD_FILE).is_file():
        shutil.copy(directory / CARD_FILE, folder / CARD_FILE)
    new = replace(spec, name=name, files=files)
    (folder / MODEL_FILE).write_text(json.dumps(new.to_json(), indent=2, ensure_ascii=False) + "\n", "utf-8")
    return new
