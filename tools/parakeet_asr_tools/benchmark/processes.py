"""Start contenders: whose Python, which model, which threads."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import parakeet_asr_tools
from parakeet_asr.errors import ParakeetError
from parakeet_asr_tools.benchmark.job import Job, Outcome

TIMEOUT_S = 1800.0
THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")
OURS = "parakeet_asr"
PEERS = {"nemo": "nemo", "onnx_asr": "onnx_asr", "sherpa_onnx": "sherpa"}  # contender: its environment


@dataclass(frozen=True, slots=True)
class Entrant:
    """A contender that can run here."""

    name: str
    python: Path
    model: Path


class ChildError(ParakeetError):
    """A contender's process failed; the message ends with what it wrote last."""


def find_entrants(
    model: Path, nemo_file: Path, environments: Path, only: list[str] | None = None
) -> tuple[list[Entrant], dict[str, str]]:
    """Who can take part, and why the others cannot.

    Args:
        model: our model directory.
        nemo_file: the same weights for the peers.
        environments: folder with one virtual environment per peer (``scripts/setup-peers``).
        only: names of the contenders wanted; all by default.
    """
    entrants, skipped = [], {}
    if only is None or OURS in only:
        entrants.append(Entrant(OURS, Path(sys.executable), model))
    exports: Path | str | None = None
    for name, environment in PEERS.items():
        python = environments / environment / "bin" / "python"
        if only is not None and name not in only:
            continue
        if not python.exists():
            skipped[name] = f"{python} is not there; `make setup-peers` installs it"
        elif name == "nemo":
            entrants.append(Entrant(name, python, nemo_file))
        else:
            exports = exports or _exports(nemo_file, environments)
            if isinstance(exports, Path):
                entrants.append(Entrant(name, python, exports / name))
            else:
                skipped[name] = exports
    return entrants, skipped


def run_job(entrant: Entrant, job: Job) -> tuple[Outcome, float]:
    """Run one job in a fresh process.

    Returns:
        What it reported, and the CLOCK_MONOTONIC time in seconds at which it was started.

    Raises:
        ChildError: it failed or took longer than half an hour.
    """
    with tempfile.TemporaryDirectory(prefix="parakeet-bench-") as scratch:
        question, answer = Path(scratch, "job.json"), Path(scratch, "outcome.json")
        job.write(question)
        started_s = time.monotonic()
        _run(entrant.python, "child", [str(question), str(answer)], Path(scratch), job.threads)
        return Outcome.from_json(answer.read_text(encoding="utf-8")), started_s


def _exports(nemo_file: Path, environments: Path) -> Path | str:
    """The folder with the peers' exports, made when it is not there; or why that is not possible."""
    digest = hashlib.sha256(nemo_file.read_bytes()).hexdigest()[:16]
    folder = environments / "exports" / digest
    if (folder / "done").exists():
        return folder
    python = environments / PEERS["nemo"] / "bin" / "python"
    if not python.exists():
        return f"its model is exported by NeMo, and {python} is not there; `make setup-peers` installs it"
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with tempfile.TemporaryDirectory(prefix="parakeet-bench-") as scratch:
            _run(python, "export_peers", [str(nemo_file.resolve()), str(folder.resolve())], Path(scratch), 2)
    except ChildError as error:
        return f"NeMo could not export its model: {error}"
    (folder / "done").touch()
    return folder


def _run(python: Path, module: str, arguments: list[str], scratch: Path, threads: int) -> None:
    # A path with this package and nothing else of ours: the peers' own numpy must win.
    (scratch / "path").mkdir()
    package = Path(next(iter(parakeet_asr_tools.__path__)))
    (scratch / "path" / package.name).symlink_to(package)
    environment = {
        **os.environ,
        **dict.fromkeys(THREAD_VARIABLES, str(threads)),
        "PYTHONPATH": str(scratch / "path"),
    }
    # Not resolved: a virtual environment's python is a link, and following it leaves the environment.
    command = [str(python.absolute()), "-m", f"parakeet_asr_tools.benchmark.{module}", *arguments]
    with Path(scratch, "log").open("w+", encoding="utf-8", errors="replace") as log:
        try:
            code = subprocess.run(
                command, stdout=log, stderr=log, env=environment, timeout=TIMEOUT_S, check=False
            ).returncode
        except subprocess.TimeoutExpired as error:
            raise ChildError(f"{module} took longer than {TIMEOUT_S:.0f} s") from error
        log.seek(0)
        tail = [line for line in log.read().splitlines() if line.strip()][-12:]
    if code != 0:
        raise ChildError(f"{module} ended with {code}: " + "\n".join(tail))
