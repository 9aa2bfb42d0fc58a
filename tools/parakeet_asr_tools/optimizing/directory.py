"""A model directory whose encoder is fused and quantised: the same contract, other bytes."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from parakeet_asr.core.model_spec import ModelSpec
from parakeet_asr.errors import ConfigurationError
from parakeet_asr.model_directory import read_model_directory
from parakeet_asr_tools.onnx_export.model_directory import CARD_FILE
from parakeet_asr_tools.optimizing.fusion import CONTRIB_DOMAIN, fuse
from parakeet_asr_tools.optimizing.graph_files import read_folded, write_graph
from parakeet_asr_tools.optimizing.quantization import METHODS, Quantization, quantize
from parakeet_asr_tools.staging import hash_files, staged, write_spec

REPORT_FILE = "optimize_report.json"

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class OptimizeOptions:
    """What the user may choose."""

    fusion: bool = True
    quantization: Quantization | None = field(default_factory=Quantization)  # None: weights stay

    @property
    def suffix(self) -> str:
        """What the name of the model is given."""
        if self.quantization is not None:
            return self.quantization.method
        return "fused" if self.fusion else "float32"


def optimize_directory(
    directory: Path,
    out: Path,
    options: OptimizeOptions,
    on_progress: Progress = lambda _: None,
    accept: Callable[[Path, Path], dict[str, Any]] | None = None,
) -> ModelSpec:
    """Write ``directory`` again with a fused and quantised encoder; decoder and joint stay as they are.

    Tensors keep their names, types and shapes, so whatever loads the one loads the other.

    Args:
        directory: a model directory with float32 computation, stored as it may be.
        out: made when missing; files of an earlier run there are replaced once all is written.
        options: what is done.
        on_progress: told what begins.
        accept: called with both directories before the new one appears; raises to refuse it, else gives
            figures for the report.

    Raises:
        ModelError: the directory cannot be used.
        ConfigurationError: an option cannot be, ``out`` is the directory itself, or an encoder that was
            optimized is to be quantised.
    """
    if out.resolve() == directory.resolve():
        raise ConfigurationError(f"{out}: expected another folder than the model's, its graphs are needed")
    if options.quantization is not None:
        options.quantization.check()
    spec = read_model_directory(directory)
    graphs = {name: graph for name, graph in spec.graphs.items() if name.startswith("encoder")}
    written = {graph.file for graph in graphs.values()}
    with staged(out) as folder:
        report = _report(spec, options)
        for graph in graphs.values():
            on_progress(f"optimizing {graph.file}")
            report["graphs"][graph.file] = _optimize(directory / graph.file, folder / graph.file, options)
        for file in spec.files:
            if file not in written and not file.endswith(".onnx.data"):
                shutil.copyfile(directory / file, folder / file)
        on_progress("hashing")
        new = replace(spec, name=f"{spec.name}-{options.suffix}", files=hash_files(folder))
        write_spec(folder, new)
        if (directory / CARD_FILE).is_file():
            (folder / CARD_FILE).write_text(_card(directory / CARD_FILE, options), encoding="utf-8")
        if accept is not None:
            on_progress("measuring")
            report["speech"] = accept(directory, folder)
        (folder / REPORT_FILE).write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    return new


def _optimize(source: Path, target: Path, options: OptimizeOptions) -> dict[str, Any]:
    model = read_folded(source)
    report: dict[str, Any] = {}
    if options.quantization is not None:
        if any(node.domain == CONTRIB_DOMAIN for node in model.graph.node):
            raise ConfigurationError(
                f"{source}: expected a graph as export writes it, this one was optimized before; take the "
                "directory that it was made from, fusion and quantisation can be done at once"
            )
        model, report["quantized"] = quantize(model, options.quantization)
    if options.fusion:
        report["fused"] = fuse(model)
    write_graph(model, target)
    return report


def _report(spec: ModelSpec, options: OptimizeOptions) -> dict[str, Any]:
    quantization = options.quantization
    return {
        "source": spec.name,
        "method": quantization.method if quantization else "none",
        "block_size": quantization.block_size if quantization else 0,
        "accuracy_level": quantization.accuracy_level if quantization else 0,
        "graphs": {},
    }


def _card(path: Path, options: OptimizeOptions) -> str:
    what = METHODS[options.quantization.method] if options.quantization else "float32 weights"
    fused = ", fused for ONNX Runtime" if options.fusion else ""
    note = (
        f"> Made with `parakeet-asr-tools optimize`: the encoder has {what}{fused}. What is said below "
        "about its weights and measured figures is that of the source.\n\n"
    )
    return note + path.read_text(encoding="utf-8")
