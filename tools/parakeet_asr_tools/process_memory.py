"""The memory of this process, as Linux counts it."""

from __future__ import annotations

from pathlib import Path


def resident_bytes() -> int:
    """What of it is in RAM now."""
    return _status("VmRSS")


def peak_resident_bytes() -> int:
    """The most of it that was in RAM.

    From ``VmHWM``, not from ``ru_maxrss``: Linux carries the latter over from the process that called
    ``exec``, so a child of a large orchestrator would report the orchestrator's size.
    """
    return _status("VmHWM")


def _status(name: str) -> int:
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    raise OSError(f"/proc/self/status has no {name} line: memory is measured on Linux only")
