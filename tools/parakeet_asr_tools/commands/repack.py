"""``parakeet-asr-tools repack``: the same archive, smaller."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from parakeet_asr_tools.console import console, progress


def add_parser(commands: Any) -> None:
    """Declare the command."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "repack",
        help="store a .nemo archive's weights in float16 without loss",
        description="Write a .nemo archive again with float16 weights. It fails, and writes nothing, when "
        "any weight is not exactly representable. Same input, same bytes; NeMo restores the result.",
    )
    parser.add_argument("nemo", type=Path, metavar="IN.nemo")
    parser.add_argument("out", type=Path, metavar="OUT.nemo")
    parser.add_argument(
        "--float16", action="store_true", required=True, help="the precision to store; the only one so far"
    )
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> None:
    from parakeet_asr.nemo.archive import open_archive
    from parakeet_asr_tools.nemo.repack import repack_float16

    with progress(f"repacking {arguments.nemo.name}"), open_archive(arguments.nemo) as archive:
        repack_float16(archive, arguments.out)
    before, after = arguments.nemo.stat().st_size / 1e6, arguments.out.stat().st_size / 1e6
    console.print(f"{arguments.out}: {before:.1f} MB became {after:.1f} MB, no weight changed")
