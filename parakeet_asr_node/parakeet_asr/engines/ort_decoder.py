"""ONNX Runtime: predictor and joint network, in one call or in two, whichever the model directory has."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from parakeet_asr.core.engine import PredictorState, StepOutput
from parakeet_asr.core.model_spec import ModelSpec
from parakeet_asr.core.split_graphs import DECODER_GRAPH, JOINT_GRAPH
from parakeet_asr.engines.ort_graph import Feeds, load_graph, run_graph
from parakeet_asr.records import FloatArray, IntArray


class FusedDecoder:
    """Graph ``decoder_step``; encoder steps come through the joint network's projection."""

    def __init__(self, directory: Path, spec: ModelSpec, device: str) -> None:
        """Load it, for one thread."""
        self._graph = load_graph(directory, spec.graphs["decoder_step"], 1, device)

    def step(self, projected: FloatArray, tokens: IntArray, state: PredictorState) -> StepOutput:
        """See :class:`parakeet_asr.core.engine.Engine`."""
        feeds: Feeds = {
            "encoded_projected": projected,
            "token": tokens,
            "hidden_in": state.hidden,
            "cell_in": state.cell,
        }
        logits, hidden, cell = run_graph(self._graph, ["logits", "hidden_out", "cell_out"], feeds)
        return StepOutput(logits, PredictorState(hidden, cell))


class SplitDecoder:
    """Graphs ``decoder`` and ``joint`` of a GenAI bundle; encoder steps come as the encoder made them."""

    def __init__(self, directory: Path, spec: ModelSpec, device: str) -> None:
        """Load them, for one thread."""
        self._decoder = load_graph(directory, spec.graphs[DECODER_GRAPH], 1, device)
        self._joint = load_graph(directory, spec.graphs[JOINT_GRAPH], 1, device)

    def step(self, projected: FloatArray, tokens: IntArray, state: PredictorState) -> StepOutput:
        """See :class:`parakeet_asr.core.engine.Engine`; ``projected`` is [batch, window, d_model] here."""
        feeds: Feeds = {
            "targets": tokens[:, None],
            "target_length": np.ones(len(tokens), np.int64),
            "h_in": state.hidden,
            "c_in": state.cell,
        }
        predicted, hidden, cell = run_graph(self._decoder, ["outputs", "h_out", "c_out"], feeds)
        feeds = {
            "encoder_outputs": np.ascontiguousarray(projected),
            "decoder_outputs": np.ascontiguousarray(predicted.transpose(0, 2, 1)),
        }
        (logits,) = run_graph(self._joint, ["outputs"], feeds)
        return StepOutput(logits[:, :, 0], PredictorState(hidden, cell))
