"""The table of variants: what is made, what a process of its own measures, and what is printed."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("onnx")

from parakeet_asr.errors import EngineError
from parakeet_asr_tools.studies import variants

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = ROOT / "examples" / "samples"


def arguments(*options: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    variants.add_arguments(parser)
    return parser.parse_args(["--speech", str(SAMPLES), "--every", "12", *options])


def test_a_row_per_variant_with_float32_first(tmp_path: Path) -> None:
    nothing = tmp_path / "nothing.nemo"
    chosen = arguments("--methods", "int8", "--nemo", str(nothing), "--also", str(ROOT / "models/demo"))
    names = [name for name, _ in variants.variants(chosen)]
    assert names == ["float32", "float32, fused", "INT8 weights `int8`", "demo"]


def test_what_a_process_measured_becomes_a_row() -> None:
    found = variants.hear(ROOT / "models/demo", 12, SAMPLES)
    spoken = variants.read_speech(SAMPLES, 12)
    row = variants.row("float32", ROOT / "models/demo", found, spoken, found["tokens"])
    assert len(row) == len(variants.HEADER)
    assert (row[0], row[4], row[5]) == ("float32", "0.00", "100.0")  # the first sample is heard whole
    assert float(row[1]) == pytest.approx(22.0, abs=0.1)
    loaded_mb, peak_mb = float(row[2]), float(row[3])
    assert 40 < loaded_mb <= peak_mb + 1 < 2000
    assert float(row[6]) > 0
    found["texts"] = ["nothing of the kind"]
    assert float(variants.row("", ROOT / "models/demo", found, spoken, [[0]])[4]) > 50


def test_a_directory_that_cannot_be_loaded_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="could not be measured"):
        variants.hear(tmp_path, 12, SAMPLES)
