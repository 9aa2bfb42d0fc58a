"""``parakeet-asr-tools optimize``: fuse and quantise the encoder of a model directory."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from parakeet_asr_tools.console import console, progress

METHODS = ("rtn", "k_quant_mixed", "hqq", "int8", "int8-dynamic")  # optimizing.quantization explains them


def add_parser(commands: Any) -> None:
    """Declare the command."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "optimize",
        help="fuse and quantise the encoder of a model directory, for ONNX Runtime",
        description="Write a model directory, or a GenAI bundle, again: its encoder fused into ONNX "
        "Runtime's own operators and quantised to INT4 (MatMulNBits) or INT8; decoder and joint stay as they "
        "are. What loads the one loads the other. docs/variants.md shows what each method costs and brings.",
    )
    parser.add_argument("model_dir", type=Path, metavar="DIR", help="as export writes it")
    parser.add_argument("out_dir", type=Path, metavar="OUT", help="made when missing")
    parser.add_argument(
        "--quant-method",
        choices=METHODS,
        default="rtn",
        help="rtn, k_quant_mixed and hqq: INT4; int8: INT8 weights; int8-dynamic: activations, too "
        "(default: %(default)s)",
    )
    parser.add_argument(
        "--block-size", type=int, default=32, help="weights that share a scale (default: %(default)s)"
    )
    parser.add_argument(
        "--accuracy-level",
        type=int,
        default=4,
        help="of MatMulNBits: 0 the kernel chooses, 1 float32, 4 int8 activations (default: %(default)s)",
    )
    parser.add_argument("--skip-fusion", action="store_true", help="quantise only")
    parser.add_argument("--skip-quantization", action="store_true", help="fuse only")
    parser.add_argument(
        "--speech",
        type=Path,
        metavar="FOLDER",
        help="a folder with manifest.jsonl: measure both models and refuse one whose errors rose too far",
    )
    parser.add_argument(
        "--max-wer-rise",
        type=float,
        default=0.5,
        metavar="POINTS",
        help="with --speech (default: %(default)s points of word error rate)",
    )
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> None:
    from parakeet_asr_tools.optimizing.acceptance import Acceptance
    from parakeet_asr_tools.optimizing.directory import OptimizeOptions, optimize_directory
    from parakeet_asr_tools.optimizing.quantization import Quantization

    quantization = Quantization(arguments.quant_method, arguments.block_size, arguments.accuracy_level)
    options = OptimizeOptions(
        fusion=not arguments.skip_fusion,
        quantization=None if arguments.skip_quantization else quantization,
    )
    accept = Acceptance(arguments.speech, max_rise=arguments.max_wer_rise) if arguments.speech else None
    with progress(f"reading {arguments.model_dir}") as report:
        spec = optimize_directory(arguments.model_dir, arguments.out_dir, options, report, accept)
    size_mb = sum(file.bytes for file in spec.files.values()) / 1e6
    console.print(f"{arguments.out_dir}: {spec.name}, {size_mb:.1f} MB")
