"""``parakeet-asr-tools verify | reference | parity | plot-stability``: is an engine the model?"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from parakeet_asr.errors import EngineError
from parakeet_asr_tools.console import console, progress


def add_parser(commands: Any) -> None:
    """Declare the commands."""
    _add_verify(commands)
    _add_reference(commands)
    _add_parity(commands)
    plot: argparse.ArgumentParser = commands.add_parser(
        "plot-stability",
        help="draw errors over chunks",
        description="One line per summary that 'parity --summary-json' wrote.",
    )
    plot.add_argument("summaries", type=Path, nargs="+", metavar="SUMMARY.json")
    plot.add_argument("--out", type=Path, required=True, metavar="PLOT.png")
    plot.set_defaults(run=_plot)


def _add_verify(commands: Any) -> None:
    parser: argparse.ArgumentParser = commands.add_parser(
        "verify",
        help="run a .nemo in the original NeMo and hold our modules against it",
        description="NeMo's transcript, tokens and encoder output of recordings go to OUT_DIR (golden.jsonl "
        "and one .npz each), and our PyTorch modules and decoder are compared with them. NeMo lives in a "
        "Python of its own: --nemo-python, PARAKEET_NEMO_PYTHON, or what `make setup-peers` installed.",
    )
    parser.add_argument("nemo", type=Path, metavar="MODEL.nemo")
    parser.add_argument("audio", type=Path, nargs="+", metavar="AUDIO")
    parser.add_argument("--out", type=Path, required=True, metavar="OUT_DIR")
    parser.add_argument("--nemo-python", type=Path, metavar="PYTHON")
    parser.set_defaults(run=_verify)


def _add_reference(commands: Any) -> None:
    parser: argparse.ArgumentParser = commands.add_parser(
        "reference",
        help="what a .nemo says about a seeded signal, chunk by chunk",
        description="Inputs, outputs and caches of every chunk in one compact file, made by the PyTorch "
        "modules, which are NeMo's ('verify' shows it). A cache-aware model streams with its caches, an "
        "offline one in windows of 10, 0.64 and 1.36 s.",
    )
    parser.add_argument("nemo", type=Path, metavar="MODEL.nemo")
    parser.add_argument("out", type=Path, metavar="REFERENCE.npz")
    parser.add_argument("--num-chunks", type=int, default=50, metavar="N", help="default: %(default)s")
    parser.add_argument("--seed", type=int, default=42, help="of the signal (default: %(default)s)")
    parser.add_argument(
        "--audio", type=Path, nargs="+", default=[], metavar="FILE", help="speech; default: the package's own"
    )
    parser.set_defaults(run=_reference)


def _add_parity(commands: Any) -> None:
    from parakeet_asr_tools.parity import DEFAULT_TOLERANCE

    parser: argparse.ArgumentParser = commands.add_parser(
        "parity",
        help="hold an engine against a reference",
        description="Every chunk's outputs and caches, the streaming contract, drift, and the tokens, also "
        "against the model's own offline answer. Ends with 1 where a chunk, a contract or the drift fails.",
    )
    parser.add_argument(
        "model",
        type=Path,
        metavar="MODEL",
        help="a model directory; for ort also an ONNX file of one step (NeMo's or trt-asr-engine's names); "
        "for torch a .nemo",
    )
    parser.add_argument("reference", type=Path, metavar="REFERENCE.npz")
    parser.add_argument(
        "--engine", choices=("ort", "torch", "trt"), default="ort", help="default: %(default)s"
    )
    parser.add_argument(
        "--mode",
        choices=("functional", "closed_loop"),
        default="closed_loop",
        help="whose caches go into each chunk: the reference's, or the engine's own (default)",
    )
    parser.add_argument("--max-chunks", type=int, metavar="N")
    parser.add_argument("--atol", type=float, default=DEFAULT_TOLERANCE, help="default: %(default)s")
    parser.add_argument("--cache-atol", type=float, default=DEFAULT_TOLERANCE, help="default: %(default)s")
    parser.add_argument("--summary-json", type=Path, metavar="FILE")
    parser.set_defaults(run=_parity)


def _verify(arguments: argparse.Namespace) -> None:
    from parakeet_asr_tools.parity.verification import verify

    with progress("running NeMo") as report:
        outcome = verify(arguments.nemo, arguments.audio, arguments.out, arguments.nemo_python, report)
    for row in outcome:
        console.print(f"{row.audio}: {row.text}")
        console.print(
            f"  encoder: largest error {row.largest_error:.1e}, cosine {row.cosine:.7f}; tokens "
            + ("equal" if row.equal_tokens else "DIFFER")
        )
    if not all(row.equal_tokens for row in outcome):
        raise EngineError("our decoder's tokens are not NeMo's")


def _reference(arguments: argparse.Namespace) -> None:
    from parakeet_asr_tools.parity.making import make_reference

    with progress(f"reading {arguments.nemo.name}") as report:
        made = make_reference(arguments.nemo, arguments.num_chunks, arguments.seed, arguments.audio, report)
        made.save(arguments.out)
    size_mb = arguments.out.stat().st_size / 1e6
    console.print(
        f"{arguments.out}: {made.kind}, {made.chunks} chunks, {len(made.tokens)} tokens, {size_mb:.1f} MB"
    )


def _parity(arguments: argparse.Namespace) -> None:
    from parakeet_asr_tools.parity.harness import run_parity
    from parakeet_asr_tools.parity.reference import load_reference
    from parakeet_asr_tools.parity.runners import open_runner

    reference = load_reference(arguments.reference)
    with progress("running"):
        runner = open_runner(arguments.engine, arguments.model, reference.kind)
        result = run_parity(
            reference,
            runner,
            arguments.mode,
            max_chunks=arguments.max_chunks,
            tolerance=arguments.atol,
            cache_tolerance=arguments.cache_atol,
        )
    summary = result.to_json()
    if arguments.summary_json is not None:
        arguments.summary_json.write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")
    error = summary["error"]
    console.print(
        f"{result.engine}, {result.kind}, {result.mode}: {100 * result.pass_rate:.1f} % of "
        f"{len(result.chunks)} chunks within {result.tolerance:g}, p95 {error['p95']:.1e}, p99 "
        f"{error['p99']:.1e}, slope {result.slope:.1e}, contract {100 * result.contract_rate:.0f} %"
    )
    if result.token_errors is not None:
        console.print(
            f"tokens: {result.token_errors} of {result.tokens} differ from the reference; from the offline "
            f"answer {result.whole_token_errors} of {result.whole_tokens} (the reference itself: "
            f"{result.reference_whole_token_errors})"
        )
    if not result.passed:
        raise EngineError(
            "parity is not given: " + ("; ".join(summary["violations"]) or "errors beyond tolerance")
        )


def _plot(arguments: argparse.Namespace) -> None:
    from parakeet_asr_tools.parity.figure import draw

    draw([json.loads(path.read_text("utf-8")) for path in arguments.summaries], arguments.out)
    console.print(str(arguments.out))
