"""The table of variants: what is made, what processes of their own measure, and what is printed."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("onnx")

from parakeet_asr.errors import EngineError
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
    chosen = arguments("--methods", "int8", "--nemo", str(nothing), "--random", "cache-aware RNNT")
    assert [one.name for one in variants.variants(chosen)] == [
        "float32", "float32, fused", "INT8 weights `int8`", "FP16 graphs (`convert-precision`)",
        "tiny", "tiny, `int8-dynamic`", "cache-aware RNNT, random weights",
    ]  # fmt: skip


def test_processes_take_turns_and_their_figures_become_rows() -> None:
    utterances = read_manifest(SAMPLES / "manifest.jsonl")[:2]
    demo, tiny = hear_in_turns([DEMO, TINY], [one.audio for one in utterances])
    assert len(demo.rounds_s) == len(tiny.rounds_s) == 1
    variant = variants.Variant("float32", lambda _: DEMO)
    row = variants.row(variant, DEMO, demo, utterances, set(utterances[:1]), demo)
    assert len(row) == len(variants.HEADER)
    assert (row[0], row[3:6], row[7]) == ("float32", ("0.00", "0.00", "100.0"), "1.00")
    assert float(row[1]) == pytest.approx(22.0, abs=0.1)
    loaded_mb, after_mb, peak_mb = map(float, row[2].split(" / "))
    assert 40 < loaded_mb <= peak_mb + 1 < 2000
    assert after_mb <= peak_mb + 1
    assert float(row[6]) > 0
    other = variants.row(variants.Variant("", lambda _: TINY), TINY, tiny, utterances, set(), demo)
    assert float(other[1]) < 0.4 * float(row[1])
    assert other[4] == "-"  # nothing of it was held out
    demo.texts = ["nothing of the kind"] * 2
    assert float(variants.row(variant, DEMO, demo, utterances, set(), tiny)[3]) > 50
    untrained = variants.Variant("", lambda _: DEMO, trained=False)
    assert variants.row(untrained, DEMO, demo, utterances, set(), tiny)[3:6] == ("-", "-", "-")


def test_one_disturbed_round_does_not_move_the_ratio() -> None:
    def took(*rounds_s: float) -> Found:
        return Found([], [], [], loaded_mb=1.0, rounds_s=list(rounds_s))

    assert variants.ratio(took(1.0, 9.0, 3.0), took(2.0, 2.0, 6.0)) == pytest.approx(0.5)


def test_a_directory_that_cannot_be_loaded_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="could not be measured"):
        hear_in_turns([tmp_path], [])
