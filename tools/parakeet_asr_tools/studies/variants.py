"""Variants of a model: size, memory, errors and speed of each, on the same recordings."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from parakeet_asr.errors import EngineError
from parakeet_asr.model_directory import read_model_directory, resolve_model
from parakeet_asr_tools.benchmark.accuracy import agreement, word_error_rate
from parakeet_asr_tools.commands.optimize import METHODS
from parakeet_asr_tools.studies.speech import Spoken, read_speech

NAME = "variants"
HELP = "size, memory, word errors and speed of fused, INT8 and INT4 variants and of the GenAI bundle"
OUTPUT = Path("out/variants")
HEADER = (
    "variant", "files it opens, MB", "memory loaded, MB", "peak, MB", "WER, %",
    "utterances as float32, %", "x real time",
)  # fmt: skip


Maker = Callable[[Path], Path]  # a folder to write to -> the model directory


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this study."""
    parser.add_argument("--model", default="demo", help="model directory or name (demo)")
    parser.add_argument("--nemo", type=Path, help="its archive, for the GenAI bundle (the one beside it)")
    parser.add_argument("--also", type=Path, nargs="*", default=[], help="more model directories")
    parser.add_argument(
        "--methods", nargs="*", choices=METHODS, default=list(METHODS), help="of quantisation (all)"
    )
    parser.add_argument("--speech", type=Path, help="folder with manifest.jsonl")
    parser.add_argument("--every", type=int, default=1, help="hear every n-th recording (1)")
    parser.add_argument("--output", type=Path, default=OUTPUT, help=f"where variants are made ({OUTPUT})")


def run(arguments: argparse.Namespace) -> Iterator[Sequence[str]]:
    """Rows of the table, the header first."""
    yield HEADER
    spoken = read_speech(arguments.speech, arguments.every)
    reference: list[list[int]] | None = None
    for name, make in variants(arguments):
        directory = make(arguments.output)
        found = hear(directory, arguments.every, arguments.speech)
        reference = reference or found["tokens"]
        yield row(name, directory, found, spoken, reference)


def variants(arguments: argparse.Namespace) -> Iterator[tuple[str, Maker]]:
    """Names and how to make them, float32 first."""
    from parakeet_asr_tools.optimizing.directory import OptimizeOptions
    from parakeet_asr_tools.optimizing.quantization import METHODS as LABELS
    from parakeet_asr_tools.optimizing.quantization import Quantization

    model = resolve_model(arguments.model)
    yield "float32", partial(_as_it_is, model)
    yield "float32, fused", _optimized(model, "fused", OptimizeOptions(quantization=None))
    for method in arguments.methods:
        options = OptimizeOptions(fusion=False, quantization=Quantization(method))
        yield f"{LABELS[method].split(',')[0]} `{method}`", _optimized(model, method, options)
    archive = arguments.nemo or model / f"{model.name}.nemo"
    if archive.is_file():
        bundle = arguments.output / "genai"
        yield "GenAI bundle, float32", lambda _: _bundle(archive, bundle)
        yield "GenAI bundle, INT4 `rtn`, fused", _optimized(bundle, "genai-rtn", OptimizeOptions())
    for directory in arguments.also:
        yield directory.name, partial(_as_it_is, directory)


def hear(directory: Path, every: int, speech: Path | None) -> dict[str, Any]:
    """Let a process of its own recognize the recordings.

    Raises:
        EngineError: it failed; the message ends with what it wrote last.
    """
    command = [sys.executable, "-m", "parakeet_asr_tools.studies.variant_child", str(directory), str(every)]
    done = subprocess.run(
        [*command, *([str(speech)] if speech else [])], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise EngineError(f"{directory}: it could not be measured: {done.stderr.strip()[-800:]}")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def row(
    name: str, directory: Path, found: dict[str, Any], spoken: Sequence[Spoken], reference: list[list[int]]
) -> tuple[str, ...]:
    """One variant, as printed in the order of ``HEADER``."""
    files = read_model_directory(directory, verify=False).files
    size_mb = sum(file.bytes for name, file in files.items() if not _unused(name, files)) / 1e6
    errors = word_error_rate([one.text for one in spoken], found["texts"])
    return (
        name,
        f"{size_mb:.1f}",
        f"{found['loaded_mb']:.0f}",
        f"{found['peak_mb']:.0f}",
        f"{100 * errors:.2f}",
        f"{100 * agreement(reference, found['tokens']).equal:.1f}",
        f"{found['rtfx']:.0f}",
    )


def _unused(name: str, files: Any) -> bool:
    """Whether our runtime does not open a file: the halves of the decoder where it has the whole."""
    return "decoder_step.onnx" in files and name in ("predictor.onnx", "joint.onnx")


def _as_it_is(directory: Path, _: Path) -> Path:
    return directory


def _optimized(model: Path, name: str, options: Any) -> Maker:
    def make(out: Path) -> Path:
        from parakeet_asr_tools.optimizing.directory import optimize_directory

        optimize_directory(model, out / name, options)
        return out / name

    return make


def _bundle(archive: Path, out: Path) -> Path:
    from parakeet_asr.nemo.archive import open_archive
    from parakeet_asr_tools.genai.bundle import GENAI
    from parakeet_asr_tools.onnx_export.model_directory import ExportOptions, export_model

    with open_archive(archive) as opened:
        export_model(opened, out, ExportOptions(), layout=GENAI)
    return out
