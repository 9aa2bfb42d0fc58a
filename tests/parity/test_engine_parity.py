"""The commands of docs/parity.md in earnest: the original NeMo, 50 and 300 chunks; for `make parity`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from made_models import cache_aware_archive, cache_aware_model
from parakeet_asr_tools.cli import main

pytestmark = pytest.mark.parity

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = ROOT / "examples" / "samples"


def test_our_modules_are_nemos(nemo_python, nemo_file, tmp_path):
    recordings = [str(SAMPLES / name) for name in ("synth-a-010.flac", "lj-077.flac", "an4-054.flac")]
    arguments = ["verify", str(nemo_file), *recordings, "--out", str(tmp_path)]
    assert main([*arguments, "--nemo-python", str(nemo_python)]) == 0
    rows = [json.loads(line) for line in (tmp_path / "golden.jsonl").read_text().splitlines()]
    assert [row["audio"] for row in rows] == [Path(path).name for path in recordings]
    assert all(row["text"] for row in rows)


@pytest.mark.parametrize("decoder", ["tdt", "rnnt"])
@pytest.mark.parametrize("mode", ["functional", "closed_loop"])
def test_300_chunks(decoder, mode, tmp_path):
    reference, summary = tmp_path / "reference.npz", tmp_path / "summary.json"
    assert main(["reference", str(cache_aware_archive(decoder)), str(reference), "--num-chunks", "300"]) == 0
    arguments = ["parity", str(cache_aware_model(decoder)), str(reference), "--mode", mode]
    assert main([*arguments, "--summary-json", str(summary)]) == 0
    result = json.loads(summary.read_text())
    assert result["pass_rate"] == 1.0
    assert abs(result["slope"]) < 1e-8
    assert result["whole_token_errors"] == 0


@pytest.mark.parametrize("mode", ["functional", "closed_loop"])
def test_50_windows_of_the_demo_model_and_their_plot(mode, tmp_path):
    reference, summary = tmp_path / "reference.npz", tmp_path / "summary.json"
    demo = ROOT / "models" / "demo"
    assert main(["reference", str(demo / "demo.nemo"), str(reference), "--num-chunks", "50"]) == 0
    arguments = ["parity", str(demo), str(reference), "--mode", mode, "--summary-json", str(summary)]
    assert main(arguments) == 0
    result = json.loads(summary.read_text())
    assert result["pass_rate"] == result["contract_rate"] == 1.0
    assert abs(result["slope"]) < 1e-7
    assert result["token_errors"] == 0
    assert result["whole_token_errors"] == result["reference_whole_token_errors"]
    plot = tmp_path / "plot.png"
    assert main(["plot-stability", str(summary), "--out", str(plot)]) == 0
    assert plot.stat().st_size > 10_000
