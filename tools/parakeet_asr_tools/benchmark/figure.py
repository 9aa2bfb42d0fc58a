"""The results as bars; needs matplotlib (``pip install parakeet-asr-tools[bench]``)."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

from parakeet_asr_tools.benchmark.processes import OURS
from parakeet_asr_tools.benchmark.report import NAMES
from parakeet_asr_tools.benchmark.results import QUANTITIES, Measured, Quantity, Results

OUR_COLOUR, PEER_COLOUR = "#2a6f97", "#b8bfc6"


def draw(results: Results, path: Path) -> None:
    """Write one panel per quantity as an image.

    Raises:
        ImportError: matplotlib is not installed.
    """
    matplotlib: Any = import_module("matplotlib")
    matplotlib.use("Agg")
    pyplot: Any = import_module("matplotlib.pyplot")
    drawn = [quantity for quantity in QUANTITIES if quantity.has_aim]
    figure, panels = pyplot.subplots(1, len(drawn), figsize=(2.6 * len(drawn), 2.2), sharey=True)
    for panel, quantity in zip(panels, drawn, strict=True):
        _panel(panel, quantity, results.measured)
    figure.tight_layout()
    path.parent.mkdir(parents=True, exist_ok=True)
    # No software name and date inside: the same results give the same file.
    figure.savefig(path, dpi=110, metadata={"Software": None})
    pyplot.close(figure)


def _panel(panel: Any, quantity: Quantity, measured: list[Measured]) -> None:
    shown = [(one, value) for one in reversed(measured) if (value := quantity.middle(one)) is not None]
    names = [NAMES[one.name] for one, _ in shown]
    values = [value for _, value in shown]
    colours = [OUR_COLOUR if one.name == OURS else PEER_COLOUR for one, _ in shown]
    bars = panel.barh(names, values, color=colours)
    panel.bar_label(bars, [f"{value:.{quantity.digits}f}" for value in values], padding=3, fontsize=8)
    panel.set_title(f"{quantity.title}\n({quantity.better} is better)", fontsize=9)
    panel.set_xlim(0, 1.25 * max(values, default=1.0))
    panel.tick_params(labelsize=8)
    for side in ("top", "right"):
        panel.spines[side].set_visible(False)
