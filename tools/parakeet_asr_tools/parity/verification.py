"""A .nemo in the original NeMo, kept as golden output, and our modules beside it."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from parakeet_asr.core.edit_distance import edit_distance
from parakeet_asr.engines.pytorch.loading import load_archive
from parakeet_asr.errors import EngineError
from parakeet_asr.sources.audio_file import read_audio
from parakeet_asr_tools.parity.making import whole_pass
from parakeet_asr_tools.precision.comparison import cosine

GOLDEN_FILE = "golden.jsonl"
_SCRIPT = Path(__file__).with_name("nemo_golden.py")
_PEERS = Path(__file__).resolve().parents[3] / ".venv-peers" / "nemo" / "bin" / "python"


@dataclass(frozen=True, slots=True)
class Verified:
    """One recording."""

    audio: str
    text: str  # NeMo's
    largest_error: float  # of our encoder
    cosine: float
    equal_tokens: bool


def verify(
    nemo: Path,
    audio: Sequence[Path],
    out: Path,
    python: Path | None = None,
    on_progress: Callable[[str], None] = lambda _: None,
) -> list[Verified]:
    """Run NeMo over recordings and compare.

    Args:
        nemo: the archive.
        audio: recordings of any format.
        out: made when missing; gets ``golden.jsonl`` (audio, ids, text) and ``<index>.npz`` (encoder output).
        python: of NeMo.
        on_progress: told what begins.

    Raises:
        EngineError: NeMo is not there or fails.
        AudioReadError: a recording cannot be decoded.
    """
    python = python or Path(os.environ.get("PARAKEET_NEMO_PYTHON", _PEERS))
    if not python.exists():
        raise EngineError(f"NeMo is not here: {python} does not exist; `make setup-peers` installs it")
    out.mkdir(parents=True, exist_ok=True)
    samples = [read_audio(path) for path in audio]
    for i, signal in enumerate(samples):
        np.save(out / f"{i}.samples.npy", signal)
    command = [str(python), str(_SCRIPT), str(nemo), str(out), str(len(samples))]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise EngineError(f"NeMo failed:\n{done.stderr[-2000:]}")
    rows = [json.loads(line) for line in (out / "nemo.jsonl").read_text("utf-8").splitlines()]
    on_progress("comparing")
    engine = load_archive(nemo, "cpu", "float32", None).engine
    results = []
    with (out / GOLDEN_FILE).open("w", encoding="utf-8") as golden:
        for i, (path, row) in enumerate(zip(audio, rows, strict=True)):
            golden.write(json.dumps({"audio": path.name, **row}, ensure_ascii=False) + "\n")
            encoded, ids = whole_pass(engine, samples[i])
            with np.load(out / f"{i}.npz") as data:
                expected = data["encoded"]
            results.append(
                Verified(
                    path.name,
                    row["text"],
                    float(np.abs(expected - encoded).max(initial=0.0)),
                    cosine(expected, encoded),
                    edit_distance(row["ids"], ids) == 0,
                )
            )
            (out / f"{i}.samples.npy").unlink()
    (out / "nemo.jsonl").unlink()
    return results
