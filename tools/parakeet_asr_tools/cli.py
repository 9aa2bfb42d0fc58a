"""The command line ``parakeet-asr-tools``."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from rich.markup import escape

from parakeet_asr.errors import ParakeetError
from parakeet_asr_tools import __version__
from parakeet_asr_tools.benchmark import commands as benchmark
from parakeet_asr_tools.benchmark import gpu as bench_gpu
from parakeet_asr_tools.benchmark import gpu_precision
from parakeet_asr_tools.benchmark import stream as bench_stream
from parakeet_asr_tools.commands import build, convert_precision, export, make_nemo, optimize, parity, repack
from parakeet_asr_tools.console import errors
from parakeet_asr_tools.studies import commands as studies
from parakeet_asr_tools.train import blending, scoring, splitting, spoken
from parakeet_asr_tools.train import commands as train


def parser() -> argparse.ArgumentParser:
    """All commands and their options."""
    top = argparse.ArgumentParser(
        prog="parakeet-asr-tools",
        description="Export, repack, make, train and measure Parakeet models; NeMo is not needed.",
    )
    top.add_argument("--version", action="version", version=__version__)
    commands = top.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for command in (
        export,
        optimize,
        convert_precision,
        build,
        parity,
        repack,
        make_nemo,
        train,
        spoken,
        blending,
        scoring,
        splitting,
        benchmark,
        bench_stream,
        bench_gpu,
        gpu_precision,
        studies,
    ):
        command.add_parser(commands)
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; 0 when it did what it was asked to, 1 with one line on stderr when not."""
    arguments = parser().parse_args(argv)
    try:
        arguments.run(arguments)
    except (ParakeetError, OSError) as error:
        errors.print(f"[red]error:[/red] {escape(str(error))}")
        return 1
    except KeyboardInterrupt:
        errors.print("interrupted")
        return 130
    return 0
