"""Start contenders: whose Python, which model, which threads."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TextIO

import parakeet_asr
import parakeet_asr_tools
from parakeet_asr.errors import ParakeetError
from parakeet_asr_tools.benchmark.job import Answer, Job, Request
from parakeet_asr_tools.line_process import LineProcess

THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")
OURS = "parakeet_asr"
PEERS = {"nemo": "nemo", "onnx_asr": "onnx_asr", "sherpa_onnx": "sherpa"}  # contender: its environment


@dataclass(frozen=True, slots=True)
class Entrant:
    """A contender that can run here."""

    name: str
    python: Path
    model: Path
    with_runtime: bool = False  # it is this project in an environment where it is not installed


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


class Child:
    """A contender's process: started with a job, it answers in lines of JSON."""

    def __init__(self, entrant: Entrant, job: Job) -> None:
        """Start it; ``started_s`` is the CLOCK_MONOTONIC time in seconds just before."""
        self.name = entrant.name
        self._scratch = tempfile.TemporaryDirectory(prefix="parakeet-bench-")
        folder = Path(self._scratch.name)
        mine = replace(job, contender=entrant.name, model=str(entrant.model.resolve()))
        mine.write(folder / "job.json")
        self.started_s = time.monotonic()
        self._process = LineProcess(
            _command(entrant.python, "child", str(folder / "job.json")),
            _environment(folder, job.threads, entrant.with_runtime),
        )

    def ask(self, request: Request | None = None) -> Answer:
        """Send a request, or none to wait for what the job itself gives.

        Raises:
            ChildError: the process ended; the message holds what it wrote last.
        """
        line = self._process.ask(None if request is None else request.to_json())
        if not line:
            raise ChildError(f"{self.name} {self._process.last_words()}")
        return Answer.from_json(line)

    def __enter__(self) -> Child:
        """Use as a context manager that ends the process."""
        return self

    def __exit__(self, *details: object) -> None:
        """End the process: it leaves when its standard input closes."""
        self._process.__exit__(*details)
        self._scratch.cleanup()


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
        _run_export(python, nemo_file, folder)
    except ChildError as error:
        return f"NeMo could not export its model: {error}"
    (folder / "done").touch()
    return folder


def _run_export(python: Path, nemo_file: Path, out: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="parakeet-bench-") as scratch:
        folder = Path(scratch)
        command = _command(python, "export_peers", str(nemo_file.resolve()), str(out.resolve()))
        with (folder / "log").open("w+", encoding="utf-8", errors="replace") as log:
            done = subprocess.run(
                command, stdout=log, stderr=log, env=_environment(folder, threads=2), check=False
            )
            if done.returncode != 0:
                raise ChildError(_tail(log))


def _command(python: Path, module: str, *arguments: str) -> list[str]:
    # Not resolved: a virtual environment's python is a link, and following it leaves the environment.
    return [str(python.absolute()), "-m", f"parakeet_asr_tools.benchmark.{module}", *arguments]


def _environment(scratch: Path, threads: int, with_runtime: bool = False) -> dict[str, str]:
    """Ours with the number of threads, and a path that holds this package and nothing else of ours."""
    path = scratch / "path"
    path.mkdir()
    for module in (parakeet_asr_tools, parakeet_asr) if with_runtime else (parakeet_asr_tools,):
        package = Path(next(iter(module.__path__)))
        (path / package.name).symlink_to(package)  # the peers' own numpy must win
    return {**os.environ, **dict.fromkeys(THREAD_VARIABLES, str(threads)), "PYTHONPATH": str(path)}


def _tail(log: TextIO) -> str:
    log.seek(0)
    return "\n".join([line for line in log.read().splitlines() if line.strip()][-12:])
