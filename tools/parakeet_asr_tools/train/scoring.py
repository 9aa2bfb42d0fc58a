"""``parakeet-asr-tools score``: word error rates of any model, with the engine that a robot would run."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from parakeet_asr_tools.console import progress


def add_parser(commands: Any) -> None:
    """Declare the command."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "score",
        help="word error rates of a model on manifests, set by set",
        description="Recognize the recordings of manifests with a model directory or a .nemo archive and "
        "print the word error rate of each set, lower case without punctuation.",
    )
    parser.add_argument("model", metavar="MODEL", help="a model directory, a .nemo archive, or demo or tiny")
    parser.add_argument("manifests", nargs="+", type=Path, metavar="MANIFEST")
    parser.add_argument(
        "--held-out", type=int, metavar="N",
        help="only every Nth utterance of each set (5: those that docs/training.md holds out)",
    )  # fmt: skip
    parser.add_argument(
        "--transcripts", type=Path, metavar="FILE", help="write what was heard there, JSON lines"
    )
    parser.add_argument("--threads", type=int, help="of the engine; as many as cores by default")
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> None:
    from parakeet_asr import load_model
    from parakeet_asr_tools.train.manifest import read_manifest, split
    from parakeet_asr_tools.train.word_errors import Heard, print_scores, scores, write_transcripts

    rows = [row for path in arguments.manifests for row in read_manifest(path)]
    if arguments.held_out:
        _, rows = split(rows, arguments.held_out)
    heard: list[Heard] = []
    with (
        load_model(arguments.model, threads=arguments.threads, guard=None) as model,
        progress(f"recognizing {len(rows)} recordings") as tell,
    ):
        for number, row in enumerate(rows, 1):
            heard.append(Heard(row, model.transcribe(row.audio).text))
            tell(f"recognized {number} of {len(rows)} recordings")
        title = f"Word error rate of {model.description}"
    if arguments.transcripts:
        write_transcripts(arguments.transcripts, heard)
    print_scores(title, scores(heard))
