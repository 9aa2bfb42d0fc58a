"""The sweep of windows as a figure; needs matplotlib (``pip install parakeet-asr-tools[bench]``)."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from parakeet_asr_tools.studies.streaming_row import Row

COLOURS = {"robot": "#c1440e", "nano": "#2a6f97", "": "#8a929a"}


def draw(rows: Sequence[Row], chosen: dict[str, str], path: Path) -> None:
    """Delay against errors, and against computing.

    Args:
        rows: the sweep.
        chosen: label of a row -> name of the profile that it became.
        path: image to write.

    Raises:
        ImportError: matplotlib is not installed.
    """
    matplotlib: Any = import_module("matplotlib")
    matplotlib.use("Agg")
    pyplot: Any = import_module("matplotlib.pyplot")
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(9.6, 3.6))
    for number, row in enumerate(rows):
        profile = chosen.get(row.label, "")
        style = {"color": COLOURS[profile], "s": 45 if profile else 25, "zorder": 3}
        text = row.label + (f" ({profile})" if profile else "")
        offset = {"xytext": (5, 4 if number % 2 else -9), "textcoords": "offset points", "fontsize": 6}
        for panel, y in ((left, 100 * row.wer_streamed), (right, row.long_load)):
            panel.scatter(row.commit_s[1], y, **style)
            panel.annotate(text, (row.commit_s[1], y), **offset)
    left.set_ylabel("WER of what was committed, %")
    right.set_ylabel("s of computing per s of speech, one core")
    right.set_ylim(bottom=0)
    for panel in (left, right):
        panel.set_xlabel("until a word is stable, 95th percentile, s")
        panel.grid(alpha=0.25)
        panel.spines[["top", "right"]].set_visible(False)
        panel.margins(x=0.25)
    figure.tight_layout()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120, metadata={"Software": None})  # the same results give the same file
    pyplot.close(figure)
