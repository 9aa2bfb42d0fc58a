"""The small model that comes with the package: found by name, and useful for what it is for."""

from __future__ import annotations

import json
from pathlib import Path

from parakeet_asr import load_model

SAMPLES = Path(__file__).resolve().parents[2] / "examples" / "samples"
HELD_OUT = ("an4-054.flac", "synth-a-029.flac", "synth-a-049.flac")
"""Of the samples these were not trained on (docs/training.md)."""


def test_it_hears_commands_that_it_was_not_trained_on() -> None:
    lines = (SAMPLES / "manifest.jsonl").read_text(encoding="utf-8").splitlines()
    rows = {row["audio"]: row["text"] for row in map(json.loads, lines)}
    with load_model("tiny", threads=1) as model:
        assert model.spec.encoder.layers == 4
        assert model.spec.decoder.kind == "tdt"
        heard = model.transcribe([str(SAMPLES / name) for name in HELD_OUT])
    assert [one.text for one in heard] == [rows[name] for name in HELD_OUT]


def test_it_is_small() -> None:
    folder = Path(__file__).resolve().parents[2] / "models" / "tiny"
    assert sum(path.stat().st_size for path in folder.iterdir()) < 8_000_000
