"""``parakeet-asr-tools build``: TensorRT engines of a model directory."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from parakeet_asr.engines.trt.limits import DEFAULT_PROFILE, ENVIRONMENT, MACHINE_PROFILES, PRECISIONS
from parakeet_asr_tools.console import console, progress


def add_parser(commands: Any) -> None:
    """Declare the command."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "build",
        help="build TensorRT engines of a model directory",
        description="Convert the graphs to the precision, build a TensorRT plan of each with one dynamic "
        "profile, and compare the engine with ONNX Runtime on stored speech. All of it goes to "
        "MODEL_DIR/trt-<precision>: graphs, plans, timing cache, build_report.json, build_logs/. Build on "
        "the machine that runs it. TensorRT for RTX also builds where there is no GPU; the comparison then "
        f"waits for one. Environment: {', '.join(ENVIRONMENT)}.",
    )
    parser.add_argument("model_dir", type=Path, metavar="MODEL_DIR", help="float32, as export writes it")
    parser.add_argument(
        "--profile",
        choices=tuple(MACHINE_PROFILES),
        default="",
        help=f"sizes for a machine (default: {DEFAULT_PROFILE}, the smallest)",
    )
    parser.add_argument("--precision", choices=PRECISIONS, help="default: the profile's")
    parser.add_argument("--max-batch", type=int, metavar="N", help="utterances at once")
    parser.add_argument("--max-utterance-s", type=float, metavar="S", help="longest audio in one piece")
    parser.add_argument("--workspace-mb", type=int, metavar="MB", help="scratch memory of a kernel")
    parser.add_argument(
        "--stream-weights",
        action="store_true",
        help="weights may stay in host memory; slower, for small GPUs",
    )
    parser.add_argument("--force", action="store_true", help="build again what is there already")
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> None:
    from parakeet_asr.engines.trt.limits import machine_limits
    from parakeet_asr_tools.trt_build import build_model

    limits = machine_limits(
        arguments.profile,
        precision=arguments.precision,
        max_batch=arguments.max_batch,
        max_utterance_s=arguments.max_utterance_s,
        workspace_mb=arguments.workspace_mb,
    )
    with progress(f"reading {arguments.model_dir}") as report:
        done = build_model(
            arguments.model_dir,
            limits,
            stream_weights=arguments.stream_weights,
            force=arguments.force,
            on_progress=report,
        )
    for name, row in done["plans"].items():
        console.print(f"{row['plan']}: {row['bytes'] / 1e6:.1f} MB, {name} in {row['build_s']:.0f} s")
    check = done["self_check"]
    if check["status"] == "passed":
        console.print(f"self-check passed: {100 * check['token_agreement']:.1f} % of the tokens agree")
    else:
        console.print(f"self-check {check['status']}: {check['reason']}")
