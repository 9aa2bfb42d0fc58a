"""``parakeet-asr-tools export``: a .nemo archive becomes a model directory."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from parakeet_asr_tools.console import console, progress


def add_parser(commands: Any) -> None:
    """Declare the command."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "export",
        help="turn a .nemo archive into a model directory",
        description="Read a FastConformer TDT or RNNT .nemo archive (NeMo is not needed) and write "
        "the model directory that parakeet_asr loads: ONNX graphs, tokenizer, model.json and a card. "
        "The same input gives the same bytes. Weights beyond 1 GiB go into encoder.onnx.data beside it.",
    )
    parser.add_argument("nemo", type=Path, metavar="MODEL.nemo", help="the archive; it is not trusted")
    parser.add_argument(
        "out_dir",
        type=Path,
        metavar="OUT_DIR",
        help="made when missing; files of an earlier export are replaced",
    )
    parser.add_argument(
        "--format",
        choices=("parakeet_asr", "genai"),
        default="parakeet_asr",
        help="genai: a bundle that ONNX Runtime GenAI loads, and parakeet_asr, too (default: %(default)s)",
    )
    parser.add_argument(
        "--weights",
        choices=("float32", "float16", "int8"),
        default="float32",
        help="how weights are STORED (default: %(default)s); the graphs always compute in float32",
    )
    parser.add_argument(
        "--right-context",
        type=int,
        metavar="STEPS",
        help="lookahead of a cache-aware model trained for several, in 80 ms steps (default: its first)",
    )
    parser.add_argument("--name", default="", help="the model's name (default: the archive's file name)")
    parser.add_argument(
        "--language", default="und", help="language tag for model.json (default: %(default)s)"
    )
    parser.add_argument(
        "--licence", default="see the source model", help="licence for model.json and the card"
    )
    parser.add_argument(
        "--card", type=Path, metavar="FILE", help="use this text as the model card (README.md)"
    )
    parser.add_argument(
        "--scratch-dir",
        type=Path,
        metavar="DIR",
        help="where the checkpoint is unpacked meanwhile (default: the system's)",
    )
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> None:
    from parakeet_asr.nemo.archive import open_archive
    from parakeet_asr_tools.genai.bundle import GENAI
    from parakeet_asr_tools.onnx_export.model_directory import OURS, ExportOptions, export_model

    options = ExportOptions(
        weights=arguments.weights,
        right_context_steps=arguments.right_context,
        name=arguments.name,
        language=arguments.language,
        licence=arguments.licence,
        card=arguments.card.read_text("utf-8") if arguments.card else None,
    )
    with (
        progress(f"reading {arguments.nemo.name}") as report,
        open_archive(arguments.nemo, arguments.scratch_dir) as archive,
    ):
        spec = export_model(
            archive, arguments.out_dir, options, report, GENAI if arguments.format == "genai" else OURS
        )
    size_mb = sum(file.bytes for file in spec.files.values()) / 1e6
    console.print(
        f"{arguments.out_dir}: {spec.name}, {spec.decoder.kind}, {len(spec.graphs)} graphs, {size_mb:.1f} MB"
    )
