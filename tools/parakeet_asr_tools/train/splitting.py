"""``parakeet-asr-tools split``: hold some utterances of a manifest out, to be tested with."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from parakeet_asr_tools.console import console


def add_parser(commands: Any) -> None:
    """Declare the command."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "split",
        help="hold every Nth utterance of a manifest out, to be tested with",
        description="Divide a manifest: every Nth utterance of each set is held out, the others are there "
        "to be trained on. Recordings stay where they are.",
    )
    parser.add_argument("manifest", type=Path, metavar="MANIFEST")
    parser.add_argument("train", type=Path, metavar="TRAIN.jsonl", help="for the others")
    parser.add_argument("held_out", type=Path, metavar="HELD_OUT.jsonl", help="for every Nth")
    parser.add_argument("--every", type=int, default=5, metavar="N", help="(default: %(default)s)")
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> None:
    from parakeet_asr_tools.train.manifest import read_manifest, split, write_manifest

    parts = split(read_manifest(arguments.manifest), arguments.every)
    for path, rows in zip((arguments.train, arguments.held_out), parts, strict=True):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_manifest(path, rows)
        minutes = sum(row.duration_s for row in rows) / 60
        console.print(f"{path}: {len(rows)} utterances, {minutes:.1f} minutes")
