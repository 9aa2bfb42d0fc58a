"""An engine that is missing or fails its self-check is not used: WARN in /diagnostics, words from the CPU."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness import Ears, Graph, Speaker, start
from parakeet_asr.core.engine import EncoderOutput
from parakeet_asr.core.model_spec import ModelSpec
from parakeet_asr.engines.ort import OrtEngine
from parakeet_asr.engines.trt import opening
from parakeet_asr.engines.trt.limits import MachineLimits
from parakeet_asr.model_directory import resolve_model
from test_diagnostics import Doctor

WARN = 1


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """The demo model in a folder of its own, which may be written."""
    ignored = shutil.ignore_patterns("*.nemo", "trt-*")
    return Path(shutil.copytree(resolve_model("demo"), tmp_path / "demo", ignore=ignored))


def words_come_and_the_reason_is_told(graph: Graph, directory: Path, reason: str) -> None:
    doctor, ears, speaker = Doctor(graph), Ears(graph.node("ears")), Speaker(graph)
    start(graph.recognizer(model=str(directory), engine="trt", diagnostics__period_s=0.1))
    values = doctor.wait("engine", lambda level, message, _: level == WARN and reason in message)
    assert "onnxruntime" in values["engine"]
    speaker.wait_for_listener()
    speaker.say("synth-a-135")
    graph.spin_until(lambda: ears.finals, "a final from the CPU")
    assert ears.finals[0].text


def test_a_missing_engine(graph: Graph, directory: Path) -> None:
    """Nothing is made up: no TensorRT, no GPU or no plan, whatever this machine lacks."""
    words_come_and_the_reason_is_told(graph, directory, "on the CPU, because TensorRT cannot be used")


class DeafEngine(OrtEngine):
    """Answers in the right shapes with nothing of the model in it, as TensorRT did (its issue 4822)."""

    def encode(self, features: Any, lengths: Any) -> EncoderOutput:
        real = super().encode(features, lengths)
        noise = np.random.default_rng(0).standard_normal(real.projected.shape).astype(np.float32)
        return EncoderOutput(noise, real.lengths)


def test_an_engine_that_fails_its_self_check(
    graph: Graph, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def open_deaf(
        where: Path, spec: ModelSpec, limits: MachineLimits, *, rebuild: bool, clips: list[Any]
    ) -> Any:
        assert not rebuild
        engine = DeafEngine(where, spec, threads=1)
        opening._require_proven(opening.Workplace(where, spec, limits), engine, ["plan"], clips)
        return engine

    monkeypatch.setattr(opening, "open_trt", open_deaf)
    words_come_and_the_reason_is_told(graph, directory, "self-check: this engine is not used, encoder: cos")
    assert '"passed": false' in (directory / "trt-fp16" / opening.CHECK_FILE).read_text("utf-8")
