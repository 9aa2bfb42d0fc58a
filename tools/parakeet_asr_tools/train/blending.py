"""``parakeet-asr-tools blend``: a model between two, for learning something without forgetting the rest.

The weights of a fine-tuned model and of the one it began from lie close enough that points between them
work, and often keep most of what was learnt and most of what was known (WiSE-FT: Wortsman et al.,
arXiv 2109.01903).
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from parakeet_asr.errors import ArchiveError, ConfigurationError
from parakeet_asr_tools.console import console


def add_parser(commands: Any) -> None:
    """Declare the command."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "blend",
        help="a model between the original and the fine-tuned one",
        description="Write a .nemo archive whose weights lie between two of the same architecture.",
    )
    parser.add_argument("before", type=Path, metavar="BEFORE.nemo", help="the model that was fine-tuned")
    parser.add_argument("after", type=Path, metavar="AFTER.nemo", help="what became of it")
    parser.add_argument("out", type=Path, metavar="OUT.nemo")
    parser.add_argument(
        "--share", type=float, default=0.5, metavar="X", help="of AFTER, 0 to 1 (default: %(default)s)"
    )
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> None:
    from parakeet_asr.nemo.archive import open_archive
    from parakeet_asr_tools.nemo.writing import write_archive

    with open_archive(arguments.before) as before, open_archive(arguments.after) as after:
        weights = blended(before.weights, after.weights, arguments.share)
        write_archive(arguments.out, after.config_text, weights, after.files)
    console.print(f"{arguments.out}: {arguments.share:.0%} of {arguments.after.name}")


def blended(before: Mapping[str, Tensor], after: Mapping[str, Tensor], share: float) -> dict[str, Tensor]:
    """``(1 - share) before + share after``; whole numbers, such as counters, are those of ``after``.

    Raises:
        ConfigurationError: the share is not within 0 to 1.
        ArchiveError: the weights are not those of one architecture.
    """
    if not 0.0 <= share <= 1.0:
        raise ConfigurationError(f"--share: expected 0 to 1, got {share}")
    different = before.keys() ^ after.keys() or {
        name for name, value in before.items() if value.shape != after[name].shape
    }
    if different:
        raise ArchiveError(
            f"blend: {min(different)!r} is not in both models with the same shape; expected two models of "
            "one architecture, the second made from the first by `train`"
        )
    return {
        name: torch.lerp(before[name].float(), value.float(), share).to(value.dtype)
        if value.dtype.is_floating_point
        else value
        for name, value in after.items()
    }
