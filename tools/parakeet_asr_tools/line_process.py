"""A process that answers lines with lines, and whose last words are kept."""

from __future__ import annotations

import contextlib
import subprocess
import tempfile
from collections.abc import Mapping, Sequence

EXIT_S = 30.0  # for a process to end once its standard input is closed
_LAST_LINES = 12


class LineProcess:
    """Started at once; a context manager that ends it."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str] | None = None) -> None:
        """Start ``command``; what it writes to standard error is kept."""
        self._log = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")  # noqa: SIM115  # closed below
        self._process = subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
        )

    def ask(self, line: str | None = None) -> str:
        """Send a line, or none to wait for what comes by itself; the answer, empty when the process ended."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            if line is not None:
                self._process.stdin.write(line + "\n")
                self._process.stdin.flush()
            return self._process.stdout.readline()
        except BrokenPipeError:
            return ""

    def last_words(self) -> str:
        """How it ended and what it wrote last; waits for the end."""
        code = self._process.wait()
        self._log.seek(0)
        lines = [line for line in self._log.read().splitlines() if line.strip()]
        return f"ended with {code}: " + "\n".join(lines[-_LAST_LINES:])

    def __enter__(self) -> LineProcess:
        """Use as a context manager that ends the process."""
        return self

    def __exit__(self, *_: object) -> None:
        """End the process: it leaves when its standard input closes."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        try:
            self._process.wait(EXIT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()
        self._log.close()
