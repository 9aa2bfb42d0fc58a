"""``parakeet-asr-tools study NAME``: the measurements behind the defaults."""

from __future__ import annotations

import argparse
from typing import Any

from parakeet_asr_tools.studies import (
    agreement,
    cancellers,
    cuts,
    duplex,
    endpointing,
    gate,
    guard,
    silence,
    streaming,
    turns,
    variants,
)

STUDIES = (streaming, agreement, cuts, endpointing, guard, silence, gate, duplex, cancellers, turns, variants)


def add_parser(subparsers: Any) -> None:
    """Add ``study`` to the command line."""
    study = subparsers.add_parser("study", help="measure what the streaming defaults rest on")
    names = study.add_subparsers(title="studies", required=True, metavar="NAME")
    for module in STUDIES:
        one = names.add_parser(module.NAME, help=module.HELP)
        module.add_arguments(one)
        one.set_defaults(run=run, study=module)


def run(arguments: argparse.Namespace) -> None:
    """Print the study's table as Markdown, row by row as they come."""
    columns = 0
    for row in arguments.study.run(arguments):
        print("| " + " | ".join(row) + " |", flush=True)
        if len(row) != columns:  # the header, or that of another table
            columns = len(row)
            print("|" + "---|" * columns, flush=True)
