"""How duplex fares, for the diagnostics; docs/diagnostics.md explains it."""

from __future__ import annotations

from collections.abc import Sequence

from parakeet_asr.core.duplex.options import DuplexOptions
from parakeet_asr.core.duplex.session import DuplexStats
from parakeet_asr.ros.duplex.settings import NO_MODE
from parakeet_asr.ros.health import Alarms, Increase, Report, Rule

RULES = (Rule("sources that died", warn=1.0),)  # since the last look


class DuplexReporter:
    """Keeps what is needed from one look to the next."""

    def __init__(self) -> None:
        """All is well."""
        self._alarms = Alarms(RULES)
        self._counts = Increase()

    def report(self, options: DuplexOptions, stats: DuplexStats, speaking: Sequence[str]) -> Report:
        """One look; ``speaking`` are the witnesses who say that the robot speaks."""
        grown = self._counts.push({"sources that died": float(stats.watchdog_releases)})
        level, why = self._alarms.push(grown)
        mode = NO_MODE if options.mode == "off" else options.mode
        values = {
            "mode": mode,
            "the robot speaks, says": ", ".join(speaking) or "-",
            "gate": "open" if stats.gate_open else "closed",
            "gated (s not heard)": f"{stats.gated_s:.1f}",
            "echo level (dBFS)": _number(stats.echo_level_dbfs, 1),
            "ERLE (dB)": _number(stats.erle_db, 1),
            "delay of the echo (s)": _number(stats.delay_s, 3),
            "dropped echoes": str(stats.dropped_echoes),
            "marked echoes": str(stats.marked_echoes),
            "barge-ins": str(stats.barge_ins),
            "sources that died": str(stats.watchdog_releases),
        }
        return Report(level, why or f"mode {mode}", values)

    def calm(self) -> None:
        """There is nothing to look at."""
        self._alarms.push({})


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"
