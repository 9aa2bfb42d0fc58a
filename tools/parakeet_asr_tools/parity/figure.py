"""The errors of a run, chunk by chunk; needs matplotlib."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

_LEAST = 1e-9  # what a logarithmic axis shows of an error of zero


def draw(summaries: Sequence[dict[str, Any]], path: Path) -> None:
    """One line per run, with its tolerance and its slope.

    Raises:
        ImportError: matplotlib is not installed.
    """
    matplotlib: Any = import_module("matplotlib")
    matplotlib.use("Agg")
    pyplot: Any = import_module("matplotlib.pyplot")
    figure, panel = pyplot.subplots(figsize=(7.5, 3.4))
    for summary in summaries:
        errors = [max(_LEAST, chunk["error"]) for chunk in summary["chunks"]]
        label = (
            f"{summary['engine']}, {summary['mode']}: {100 * summary['pass_rate']:.0f} % pass, "
            f"slope {summary['slope']:.1e}"
        )
        panel.plot(range(1, len(errors) + 1), errors, linewidth=1, label=label)
    for tolerance in sorted({summary["tolerance"] for summary in summaries}):
        panel.axhline(tolerance, color="0.5", linewidth=0.8, linestyle="--")
    panel.set_yscale("log")
    panel.set_xlabel("chunk")
    panel.set_ylabel("largest error")
    panel.legend(fontsize=7)
    for side in ("top", "right"):
        panel.spines[side].set_visible(False)
    figure.tight_layout()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120, metadata={"Software": None})
    pyplot.close(figure)
