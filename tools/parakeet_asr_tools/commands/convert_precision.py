"""``parakeet-asr-tools convert-precision``: FP16 or BF16 in the graphs."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from parakeet_asr_tools.console import console, progress


def add_parser(commands: Any) -> None:
    """Declare the command."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "convert-precision",
        help="put FP16 or BF16 into the graphs of a model directory, for TensorRT",
        description="Write a model directory again with products in low precision and float32 where that "
        "would be dangerous (subsampling, norms, softmax, the residual sum, the predictor's cells). Inputs "
        "and outputs stay float32, lengths and masks stay integers. Weights pass one at a time, so a model "
        "of 2.4 GB needs little memory. --speech measures what it costs and adds that to "
        "precision_report.json.",
    )
    parser.add_argument("model_dir", type=Path, metavar="MODEL_DIR", help="float32, as export writes it")
    parser.add_argument("out_dir", type=Path, metavar="OUT_DIR", help="made when missing")
    parser.add_argument("--precision", choices=("fp16", "bf16"), default="fp16", help="default: %(default)s")
    parser.add_argument(
        "--speech",
        type=Path,
        metavar="DIR",
        help="a folder with manifest.jsonl: ranges, cosine per stage and token agreement, on a CPU in "
        "float32 with every result rounded; needs the weights in memory three times",
    )
    parser.add_argument("--limit-s", type=float, metavar="S", help="an even choice of so much speech")
    parser.add_argument(
        "--emulated",
        type=Path,
        metavar="DIR",
        help="also write a directory that a CPU computes in float32 with every result rounded, for 'parity'",
    )
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> None:
    from parakeet_asr_tools.precision.directory import convert_directory, emulate_directory
    from parakeet_asr_tools.precision.report import measure
    from parakeet_asr_tools.precision.rule import Rule

    rule = Rule(low=arguments.precision)
    with progress(f"reading {arguments.model_dir}") as report:
        spec = convert_directory(arguments.model_dir, arguments.out_dir, rule, report)
    size_mb = sum(file.bytes for file in spec.files.values()) / 1e6
    console.print(f"{arguments.out_dir}: {spec.name}, {size_mb:.1f} MB")
    if arguments.emulated is not None:
        emulate_directory(arguments.out_dir, arguments.emulated)
        console.print(f"{arguments.emulated}: the same, rounded on a CPU")
    if arguments.speech is not None:
        with progress("measuring") as report:
            cost = measure(
                arguments.model_dir, arguments.out_dir, arguments.speech, arguments.limit_s, report
            )
        last = cost.stages["encoded_projected"]
        console.print(
            f"{cost.utterances} utterances: {100 * cost.token_agreement:.2f} % of "
            f"{cost.reference_tokens} tokens agree, cosine {last.worst_cosine:.6f} or more"
        )
