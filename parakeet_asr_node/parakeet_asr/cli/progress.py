"""A progress bar for people: nothing when stderr is no terminal, nothing for short work."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import TextIO

_WIDTH = 30
_QUIET_S = 1.0  # work shorter than this shows no bar
_REDRAW_S = 0.1


class ProgressBar:
    """Call it with seconds done and in all; as a context manager it wipes itself out at the end."""

    def __init__(self, label: str, stream: TextIO | None = None) -> None:
        self._label = label[-40:]
        self._stream = stream or sys.stderr
        self._enabled = self._stream.isatty()
        self._next_s = time.monotonic() + _QUIET_S
        self._drawn = False

    def __call__(self, done_s: float, total_s: float | None) -> None:
        """Draw, now and then."""
        if not self._enabled or time.monotonic() < self._next_s:
            return
        self._next_s = time.monotonic() + _REDRAW_S
        self._drawn = True
        self._stream.write(f"\r\x1b[K{self._label} {_bar(done_s, total_s)}")
        self._stream.flush()

    def __enter__(self) -> ProgressBar:
        """Use as a context manager."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Wipe the bar out."""
        if self._drawn:
            self._stream.write("\r\x1b[K")
            self._stream.flush()


def _bar(done_s: float, total_s: float | None) -> str:
    if not total_s:
        return f"{done_s:.0f} s"
    part = min(1.0, done_s / total_s)
    full = int(part * _WIDTH)
    return f"[{'#' * full}{'.' * (_WIDTH - full)}] {part:4.0%} of {total_s:.0f} s"
