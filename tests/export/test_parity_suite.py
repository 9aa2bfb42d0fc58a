"""The parity suite on ONNX Runtime: it passes where it should, and says so where it should not."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from made_models import cache_aware_archive, cache_aware_model

pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")

from parakeet_asr.errors import ModelContractError  # noqa: E402
from parakeet_asr_tools.cli import main  # noqa: E402
from parakeet_asr_tools.parity.harness import CRITICAL_SLOPE, ChunkResult, ParityResult, run_parity  # noqa: E402
from parakeet_asr_tools.parity.making import make_reference  # noqa: E402
from parakeet_asr_tools.parity.reference import Reference, load_reference  # noqa: E402
from parakeet_asr_tools.parity.runners import OrtRunner, open_runner  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
CHUNKS = 40  # 6.4 s: more than the attention cache of 70 steps holds


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("parity") / "reference.npz"
    arguments = ["reference", str(cache_aware_archive("rnnt")), str(path)]
    assert main([*arguments, "--num-chunks", str(CHUNKS), "--seed", "7"]) == 0
    return path


@pytest.fixture(scope="module")
def loaded(reference: Path) -> Reference:
    return load_reference(reference)


def test_a_reference_is_small_seeded_and_whole(reference: Path, loaded: Reference) -> None:
    assert loaded.chunks == CHUNKS
    assert loaded.tokens == loaded.whole_tokens  # a cache-aware model's streaming is its offline answer
    assert len(loaded.tokens) > 5
    np.testing.assert_allclose(loaded.encoded, loaded.whole, atol=1e-4)
    again = make_reference(cache_aware_archive("rnnt"), 3, seed=7)
    common = int(again.steps[:2].sum())  # the last chunk of a signal is not whole
    np.testing.assert_array_equal(again.encoded[:common], loaded.encoded[:common])
    other = make_reference(cache_aware_archive("rnnt"), 3, seed=8)
    assert np.abs(other.encoded - again.encoded).max() > 0.01
    full = sum(sum(v.nbytes for v in (*c.inputs.values(), *c.outputs.values())) for c in loaded.iterate())
    assert reference.stat().st_size < full / 10


@pytest.mark.parametrize("mode", ["functional", "closed_loop"])
def test_onnx_runtime_passes_and_shows_its_plot(reference: Path, tmp_path: Path, mode: str) -> None:
    summary = tmp_path / "summary.json"
    model = str(cache_aware_model("rnnt"))
    assert main(["parity", model, str(reference), "--mode", mode, "--summary-json", str(summary)]) == 0
    data = json.loads(summary.read_text())
    assert (data["passed"], data["pass_rate"], data["contract_rate"]) == (True, 1.0, 1.0)
    assert abs(data["slope"]) < CRITICAL_SLOPE
    assert data["error"]["p99"] < 1e-4
    assert data["whole_error"]["largest"] < 1e-4  # against one pass over the whole signal
    assert data["token_errors"] == data["whole_token_errors"] == 0
    assert len(data["chunks"]) == CHUNKS
    pytest.importorskip("matplotlib")
    plot = tmp_path / "plot.png"
    assert main(["plot-stability", str(summary), "--out", str(plot)]) == 0
    assert plot.read_bytes().startswith(b"\x89PNG")


def test_pytorch_passes_exactly(loaded: Reference) -> None:
    runner = open_runner("torch", cache_aware_archive("rnnt"), "cache_aware")
    result = run_parity(loaded, runner, "closed_loop")
    assert result.passed
    assert max(chunk.error for chunk in result.chunks) < 1e-6


def test_half_precision_is_quantified(loaded: Reference, tmp_path: Path) -> None:
    from parakeet_asr_tools.precision.directory import convert_directory, emulate_directory
    from parakeet_asr_tools.precision.rule import Rule

    convert_directory(cache_aware_model("rnnt"), tmp_path / "fp16", Rule())
    emulate_directory(tmp_path / "fp16", tmp_path / "emulated")
    result = run_parity(loaded, open_runner("ort", tmp_path / "emulated", "cache_aware"), "closed_loop")
    errors = result.to_json()["error"]
    assert 5e-5 < errors["p95"] < 0.05
    assert result.contract_rate == 1.0
    assert abs(result.slope) < CRITICAL_SLOPE * 10
    assert result.token_errors is not None


def renamed(out: Path) -> Path:
    """The streaming graph with trt-asr-engine's names."""
    model = onnx.load(str(cache_aware_model("rnnt") / "encoder_stream.onnx"))
    names = {
        "outputs": "encoder_output",
        "cache_last_channel_next": "cache_last_channel_out",
        "cache_last_time_next": "cache_last_time_out",
        "cache_last_channel_next_len": "cache_last_channel_len_out",
    }
    for info in model.graph.output:
        info.name = names.get(info.name, info.name)
    for node in model.graph.node:
        node.output[:] = [names.get(name, name) for name in node.output]
    onnx.save(model, str(out))
    return out


def test_other_names_are_understood(loaded: Reference, tmp_path: Path) -> None:
    result = run_parity(loaded, OrtRunner(renamed(tmp_path / "x.onnx"), None), "closed_loop", max_chunks=12)
    assert result.passed
    assert len(result.chunks) == 12
    assert result.token_errors is None


class Forgetful:
    """An engine whose caches never come back: what trt-asr-engine's contract let pass."""

    description = "forgetful"
    decoder = None

    def __init__(self, inner: OrtRunner) -> None:
        self._inner = inner

    def run(self, inputs: dict[str, Any]) -> dict[str, Any]:
        outputs = self._inner.run({**inputs, "cache_last_channel_len": np.zeros(1, np.int64)})
        return {**outputs, "cache_last_channel_next_len": np.zeros(1, np.int64)}


def test_an_engine_that_forgets_does_not_pass(loaded: Reference) -> None:
    inner = OrtRunner(cache_aware_model("rnnt") / "encoder_stream.onnx", None)
    result = run_parity(loaded, Forgetful(inner), "closed_loop", max_chunks=6)
    assert not result.passed
    assert result.contract_rate == 0.0
    assert any("context is lost" in text for text in result.to_json()["violations"])


def test_a_reference_that_remembers_nothing_is_refused(loaded: Reference, tmp_path: Path) -> None:
    replace(loaded, channels=np.zeros_like(loaded.channels)).save(tmp_path / "empty.npz")
    with pytest.raises(ModelContractError, match="remembers nothing"):
        load_reference(tmp_path / "empty.npz")
    (tmp_path / "none.npz").write_bytes(b"x")
    with pytest.raises(ModelContractError, match="expected what"):
        load_reference(tmp_path / "none.npz")


def test_an_error_that_grows_is_a_failure_even_within_tolerance() -> None:
    result = ParityResult("e", "r", "cache_aware", "closed_loop", 5e-4, 5e-4)
    result.chunks = [ChunkResult(2e-5 * i, 0.0, 0.0, passed=True) for i in range(20)]
    assert result.slope == pytest.approx(2e-5)
    assert not result.passed
    assert result.to_json()["slope_is_critical"]


def test_an_offline_model_in_windows(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    demo = ROOT / "models" / "demo"
    path = tmp_path / "buffered.npz"
    assert main(["reference", str(demo / "demo.nemo"), str(path), "--num-chunks", "5"]) == 0
    assert main(["parity", str(demo), str(path)]) == 0
    assert "100.0 % of 5 chunks" in capsys.readouterr().out
    loaded = load_reference(path)
    assert loaded.windows is not None
    assert len(loaded.tokens) > 5
