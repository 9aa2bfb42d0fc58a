"""The sample utterances of the repository."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).resolve().parent / "samples"


@dataclass(frozen=True, slots=True)
class Sample:
    """One utterance."""

    path: Path
    text: str
    duration_s: float


def read_samples() -> list[Sample]:
    """All of them, in the order of the manifest."""
    lines = (FOLDER / "manifest.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines if line]
    return [Sample(FOLDER / row["audio"], row["text"], row["duration_s"]) for row in rows]
