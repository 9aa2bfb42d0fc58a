"""``parakeet-asr-tools make-nemo``: a model of random weights in NeMo's format."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from parakeet_asr_tools.console import console, progress


def add_parser(commands: Any) -> None:
    """Declare the command."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "make-nemo",
        help="make a .nemo archive of random weights",
        description="Write a .nemo archive with NeMo's own configuration, random weights and a constructed "
        "SentencePiece model, for trying export, memory and speed at full size without a download. Blank and "
        "duration biases are set so that it writes 2 to 5 (meaningless) tokens per second.",
    )
    parser.add_argument("out", type=Path, metavar="OUT.nemo")
    parser.add_argument(
        "--preset",
        choices=("v3", "demo", "tiny", "cache-aware"),
        required=True,
        help="v3: parakeet-tdt-0.6b-v3's size (2.5 GB); demo: 43 MB; tiny: 19 MB; "
        "cache-aware: a small causal model for streaming with caches (2 MB)",
    )
    parser.add_argument("--decoder", choices=("tdt", "rnnt"), default="tdt", help="default: %(default)s")
    parser.add_argument("--seed", type=int, default=0, help="of the weights (default: %(default)s)")
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> None:
    from parakeet_asr_tools.making.presets import PRESETS
    from parakeet_asr_tools.making.random_model import make_archive

    with progress(f"making {arguments.preset}") as report:
        preset = PRESETS[arguments.preset]
        calibration = make_archive(arguments.out, preset, arguments.seed, arguments.decoder, report)
    size_mb = arguments.out.stat().st_size / 1e6
    console.print(
        f"{arguments.out}: {size_mb:.1f} MB, {calibration.tokens_per_s:.1f} tokens per second "
        f"(blank bias {calibration.blank_bias:.3f})"
    )
