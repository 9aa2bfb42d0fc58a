"""Where the recordings, the models and the original NeMo of the parity tests are."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from parakeet_asr.loader import Model, load_model

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = ROOT / "examples" / "samples"
SPEECH = ROOT.parent / "shared" / "speech"
GOLDEN = ROOT.parent / "shared" / "golden"
DEMO = ROOT / "models" / "demo"
LIVE_EVERY = 25  # utterances of SPEECH without --all
REFERENCE_TIMEOUT_S = 3600

Utterances = dict[str, Path]  # name in the manifest: file
NemoDecode = Callable[..., list[dict[str, Any]]]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--all", action="store_true", help="ask live NeMo about every utterance, not a choice")


@pytest.fixture(scope="session")
def model() -> Model:
    return load_model(DEMO, threads=1, guard=None)  # the decoder alone, as NeMo runs it


@pytest.fixture(scope="session")
def samples() -> Utterances:
    """The utterances that come with the repository."""
    return _manifest(SAMPLES)


@pytest.fixture(scope="session")
def speech() -> Utterances:
    """The 525 utterances beside the checkout."""
    if not SPEECH.is_dir():
        pytest.skip(f"the large set of recordings is not here: {SPEECH}")
    return _manifest(SPEECH)


@pytest.fixture(scope="session")
def live_utterances(samples: Utterances, pytestconfig: pytest.Config) -> Utterances:
    """The samples and every 25th of the large set where it is; with ``--all``, all of it."""
    every = 1 if pytestconfig.getoption("--all", default=False) else LIVE_EVERY
    large = list(_manifest(SPEECH).items()) if SPEECH.is_dir() else []
    return samples | dict(large[::every])


@pytest.fixture(scope="session")
def golden_tokens() -> Callable[[Path], dict[str, list[int]]]:
    """Read a file of NeMo's token ids: name of the recording -> ids."""

    def read(path: Path) -> dict[str, list[int]]:
        return {row["audio"]: row["ids"] for row in _read_jsonl(path)}

    return read


@pytest.fixture(scope="session")
def nemo_file() -> Path:
    """The archive of the demo model."""
    return _first(DEMO / "demo.nemo", SPEECH.parent / "model" / "parakeet-tdt-demo.nemo")


@pytest.fixture(scope="session")
def nemo_decode(tmp_path_factory: pytest.TempPathFactory, nemo_python: Path) -> NemoDecode:
    """Ask the original NeMo: ``decode(archive, utterances) -> [{"audio", "ids", "text", "features"}]``.

    ``features`` is the file of the log-mel features before normalisation, [mels, frames].
    """

    def decode(archive: Path, utterances: Utterances) -> list[dict[str, Any]]:
        folder = tmp_path_factory.mktemp("nemo")
        jobs, out = folder / "utterances.json", folder / "nemo.jsonl"
        jobs.write_text(json.dumps([{"audio": a, "path": str(p)} for a, p in utterances.items()]))
        script = Path(__file__).with_name("nemo_reference.py")
        command = [str(nemo_python), str(script), str(archive), str(jobs), str(out), str(folder)]
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=REFERENCE_TIMEOUT_S, check=False
        )
        assert done.returncode == 0, f"NeMo failed:\n{done.stderr[-3000:]}"
        return [{**row, "features": folder / f"{i}.npy"} for i, row in enumerate(_read_jsonl(out))]

    return decode


@pytest.fixture(scope="session")
def nemo_python() -> Path:
    """A Python that has the original NeMo."""
    if importlib.util.find_spec("nemo") is not None:
        return Path(sys.executable)
    default = ROOT / ".venv-peers" / "nemo" / "bin" / "python"
    python = Path(os.environ.get("PARAKEET_NEMO_PYTHON", default))
    if not python.exists():
        pytest.skip(f"NeMo is not here: {python} does not exist; `make setup-peers` installs it")
    return python


def _first(*paths: Path) -> Path:
    for path in paths:
        if path.is_file():
            return path
    pytest.skip(f"none of these is here: {', '.join(map(str, paths))}")


def _manifest(folder: Path) -> Utterances:
    return {row["audio"]: folder / row["audio"] for row in _read_jsonl(folder / "manifest.jsonl")}


def _read_jsonl(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
