"""What TensorRT says: into the file of the build that runs, and its last errors into our exceptions."""

from __future__ import annotations

import contextlib
import logging
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from parakeet_asr.engines.trt.flavour import trt

_log = logging.getLogger(__name__)
_KEPT_ERRORS = 3


class TensorRtLog(trt.ILogger):
    """TensorRT keeps the first logger of a process for good, so there is one, and it outlives every build."""

    def __init__(self) -> None:
        """Nothing was said yet."""
        trt.ILogger.__init__(self)
        self._file: TextIO | None = None
        self._errors: deque[str] = deque(maxlen=_KEPT_ERRORS)

    @contextlib.contextmanager
    def into(self, path: Path) -> Iterator[None]:
        """Write everything to this file meanwhile."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self.forget()
        with path.open("w", encoding="utf-8") as self._file:
            try:
                yield
            finally:
                self._file.flush()
        self._file = None

    def log(self, severity: trt.ILogger.Severity, msg: str) -> None:
        """Called by TensorRT, from any of its threads; it must not raise."""
        file = self._file
        if severity in (trt.ILogger.ERROR, trt.ILogger.INTERNAL_ERROR):
            self._errors.append(msg)
            if file is None:  # while an engine runs nothing else keeps it
                _log.warning("TensorRT: %s", msg)
        if file is not None and not file.closed:
            file.write(f"[{severity.name}] {msg}\n")

    def forget(self) -> None:
        """Errors from here on are those of what is done next."""
        self._errors.clear()

    def trouble(self) -> str:
        """The last errors, for a message."""
        return "; ".join(self._errors) or "no reason given"


LOG = TensorRtLog()
