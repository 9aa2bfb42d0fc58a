"""The table of variants: what is made, what processes of their own measure, and what is printed."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("onnx")

from parakeet_asr.errors import EngineError
from parakeet_asr.model_directory import read_model_directory
from parakeet_asr_tools.studies import variants
from parakeet_asr_tools.studies.variant_rounds import Found, hear_in_turns
from parakeet_asr_tools.train.manifest import read_manifest

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = ROOT / "examples" / "samples"
DEMO, TINY = ROOT / "models/demo", ROOT / "models/tiny"


def arguments(*options: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    variants.add_arguments(parser)
    return parser.parse_args(["--speech", str(SAMPLES), *options])


def test_a_row_per_variant_with_float32_first(tmp_path: Path) -> None:
    nothing = tmp_path / "nothing.nemo"
    options = ["--methods", "fused", "int8", "fp16", "--beside", str(TINY), "--random", "cache-aware RNNT"]
    chosen = arguments(*options, "--nemo", str(nothing))
    assert [(one.name, one.trained, one.akin) for one in variants.variants(chosen)] == [
        ("float32", True, True), ("float32, fused", True, True), ("INT8 weights `int8`", True, True),
        ("FP16 graphs (`convert-precision`)", True, True), ("tiny", True, True),
        ("tiny", True, False), ("tiny, `int8-dynamic`", True, False),
        ("cache-aware RNNT, random weights", False, False),
    ]  # fmt: skip


def test_a_bundle_is_quantised_and_neither_fused_nor_lowered(tmp_path: Path) -> None:
    options = ["--methods", "fused", "rtn", "fp16", "--also", "--random", "--output", str(tmp_path)]
    names = [one.name for one in variants.variants(arguments(*options))]
    assert names[-2:] == ["GenAI bundle, float32", "GenAI bundle, `rtn`"]
    assert len(names) == 6


def test_variants_are_made_where_they_are_to_be(tmp_path: Path) -> None:
    options = ["--methods", "fused", "int8-dynamic", "fp16", "--also", "--random", "--nemo", str(tmp_path)]
    made = [one.make(tmp_path) for one in variants.variants(arguments(*options))]
    assert made == [DEMO, *(tmp_path / name for name in ("fused", "int8-dynamic", "fp16"))]
    names = [read_model_directory(directory).name for directory in made]
    assert names == ["demo", "demo-fused", "demo-int8-dynamic", "demo-fp16"]


def test_processes_take_turns_and_their_figures_become_rows() -> None:
    utterances = read_manifest(SAMPLES / "manifest.jsonl")[:2]
    demo, tiny = hear_in_turns([DEMO, TINY], [one.audio for one in utterances])
    assert len(demo.rounds_s) == len(tiny.rounds_s) == 2
    variant = variants.Variant("float32", lambda _: DEMO)
    row = variants.row(variant, DEMO, demo, utterances, set(utterances[:1]), demo)
    assert len(row) == len(variants.HEADER)
    assert (row[0], row[3:7], row[8]) == ("float32", ("0.00", "0.00", "100.0", "1.0000"), "1.00")
    assert float(row[1]) == pytest.approx(22.0, abs=0.1)
    loaded_mb, after_mb, peak_mb = map(float, row[2].split(" / "))
    assert 40 < loaded_mb <= peak_mb + 1 < 2000
    assert after_mb <= peak_mb + 1
    assert float(row[7]) > 0
    other = variants.row(variants.Variant("", lambda _: TINY), TINY, tiny, utterances, set(), demo)
    assert abs(float(other[6])) < 0.9  # another model's encoder
    assert float(other[1]) < 0.4 * float(row[1])
    assert other[4] == "-"  # nothing of it was held out
    demo.texts = ["nothing of the kind"] * 2
    assert float(variants.row(variant, DEMO, demo, utterances, set(), tiny)[3]) > 50
    demo.encoded = [np.zeros((3, 7), np.float32)] * 2  # as of a bundle
    assert variants.row(variant, DEMO, demo, utterances, set(), tiny)[6] == "-"
    untrained = variants.Variant("", lambda _: DEMO, trained=False, akin=False)
    assert variants.row(untrained, DEMO, demo, utterances, set(), demo)[3:7] == ("-", "-", "-", "-")


def test_one_disturbed_round_does_not_move_the_ratio() -> None:
    def took(*rounds_s: float) -> Found:
        return Found([], [], [], loaded_mb=1.0, rounds_s=list(rounds_s))

    assert variants.ratio(took(1.0, 9.0, 3.0), took(2.0, 2.0, 6.0)) == pytest.approx(0.5)


def test_a_directory_that_cannot_be_loaded_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="could not be measured"):
        hear_in_turns([tmp_path], [])
