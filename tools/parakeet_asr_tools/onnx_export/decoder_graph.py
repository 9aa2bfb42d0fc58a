"""Predictor, joint network, and the fused step that the runtime's greedy decoder calls."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from parakeet_asr.engines.pytorch.model.transducer import Predictor, Transducer
from parakeet_asr_tools.onnx_export.builder import Array, GraphBuilder
from parakeet_asr_tools.onnx_export.layers import array_of, linear

_TABLE_PIECES = 1024  # up to this vocabulary a table of the first layer's gates is small enough


@dataclass(frozen=True, slots=True)
class _Prediction:
    """Values of a predictor that was put into a graph."""

    output: str  # [batch, hidden]
    hidden_out: str  # [layers, batch, hidden]
    cell_out: str
    state_shape: tuple[int | str, ...]


def write_predictor(graph: GraphBuilder, model: Transducer) -> None:
    """One token in, the predictor's output and new state out."""
    prediction = _predict(graph, model.decoder)
    graph.output("predictor_output", prediction.output, "float32", ("batch", model.config.predictor.hidden))
    _state_outputs(graph, prediction)


def write_joint(graph: GraphBuilder, model: Transducer) -> None:
    """Encoder and predictor outputs in, raw logits of every pair out."""
    config = model.config
    encoded = graph.input("encoder_output", "float32", ("batch", "T", config.encoder.d_model))
    predicted = graph.input("predictor_output", "float32", ("batch", "U", config.predictor.hidden))
    with graph.scope("joint"):
        encoded = graph.op("Unsqueeze", linear(graph, encoded, model.joint.enc, "enc"), graph.constant([2]))
        predicted = graph.op(
            "Unsqueeze", linear(graph, predicted, model.joint.pred, "pred"), graph.constant([1])
        )
        logits = combine(graph, model, encoded, predicted)
    graph.output("logits", logits, "float32", ("batch", "T", "U", config.logits_size))


def write_decoder_step(graph: GraphBuilder, model: Transducer) -> None:
    """One token and a window of projected encoder steps in, the window's raw logits and new state out."""
    config = model.config
    projected = graph.input("encoded_projected", "float32", ("batch", "window", config.joint.hidden))
    prediction = _predict(graph, model.decoder, table=config.vocabulary_size <= _TABLE_PIECES)
    with graph.scope("joint"):
        predicted = graph.op(
            "Unsqueeze", linear(graph, prediction.output, model.joint.pred, "pred"), graph.constant([1])
        )
        logits = combine(graph, model, projected, predicted)
    graph.output("logits", logits, "float32", ("batch", "window", config.logits_size))
    _state_outputs(graph, prediction)


def combine(graph: GraphBuilder, model: Transducer, encoded: str, predicted: str) -> str:
    """The joint network's end, from two projections that broadcast against each other."""
    joined = graph.op("Relu", graph.op("Add", encoded, predicted))
    return linear(graph, joined, model.joint.output, "output")


def _predict(graph: GraphBuilder, predictor: Predictor, table: bool = False) -> _Prediction:
    """Declare token and state inputs and run embedding and LSTM for one step.

    With ``table``, the first layer's product with the embedding is looked up instead of computed.
    """
    lstm = predictor.lstm
    state = (lstm.num_layers, "batch", lstm.hidden_size)
    token = graph.input("token", "int64", ("batch",))
    hidden_in = _layers(graph, graph.input("hidden_in", "float32", state), lstm.num_layers)
    cell_in = _layers(graph, graph.input("cell_in", "float32", state), lstm.num_layers)
    hidden_out: list[str] = []
    cell_out: list[str] = []
    x = ""
    with graph.scope("predictor"):
        if not table:
            x = graph.op("Gather", graph.weight("embedding", blank_is_zero(predictor)), token, axis=0)
        for i in range(lstm.num_layers):
            with graph.scope(f"lstm.{i}"):
                parameters = _lstm_parameters(predictor, i)
                if table and i == 0:
                    embedding = blank_is_zero(predictor)
                    gates = _gates_from_table(graph, parameters, embedding, token, hidden_in[0])
                else:
                    gates = _gates(graph, parameters, x, hidden_in[i])
                x, cell = _lstm_cell(graph, gates, cell_in[i], lstm.hidden_size)
            hidden_out.append(x)
            cell_out.append(cell)
    return _Prediction(x, _stacked(graph, hidden_out), _stacked(graph, cell_out), state)


def _state_outputs(graph: GraphBuilder, prediction: _Prediction) -> None:
    graph.output("hidden_out", prediction.hidden_out, "float32", prediction.state_shape)
    graph.output("cell_out", prediction.cell_out, "float32", prediction.state_shape)


def _layers(graph: GraphBuilder, state: str, layers: int) -> list[str]:
    """[layers, batch, hidden] -> one [batch, hidden] per layer."""
    parts = graph.split_op("Split", state, count=layers, axis=0) if layers > 1 else [state]
    return [graph.op("Squeeze", part, graph.constant([0])) for part in parts]


def _stacked(graph: GraphBuilder, states: list[str]) -> str:
    return graph.op(
        "Concat", *(graph.op("Unsqueeze", state, graph.constant([0])) for state in states), axis=0
    )


def _gates(graph: GraphBuilder, parameters: tuple[Array, Array], x: str, hidden: str) -> str:
    """[batch, 4 hidden] before their activations: one product over [x, hidden]."""
    weight, bias = parameters
    both = graph.op("Concat", x, hidden, axis=-1)
    return graph.op(
        "Add", graph.op("MatMul", both, graph.weight("weight", weight)), graph.weight("bias", bias)
    )


def _gates_from_table(
    graph: GraphBuilder, parameters: tuple[Array, Array], embedding: Array, token: str, hidden: str
) -> str:
    """The same for the layer that reads the embedding: its share is a row of a table."""
    weight, bias = parameters
    size = embedding.shape[1]
    rows = embedding.astype(np.float64) @ weight[:size] + bias
    looked_up = graph.op("Gather", graph.weight("table", rows.astype(np.float32), exact=True), token, axis=0)
    return graph.op(
        "Add", graph.op("MatMul", hidden, graph.weight("weight_hidden", weight[size:])), looked_up
    )


def _lstm_cell(graph: GraphBuilder, gates: str, cell: str, size: int) -> tuple[str, str]:
    """One LSTM step from its gates; returns the new hidden and cell state, [batch, hidden] each.

    The gates are sorted input, forget, output, candidate, so that one Sigmoid covers the first three. For
    single steps this takes as long as the LSTM operator, and it lets the first layer use a table.
    """
    opening, candidate = graph.split_op("Split", gates, graph.constant([3 * size, size]), count=2, axis=-1)
    keep_in, keep_old, keep_out = graph.split_op("Split", graph.op("Sigmoid", opening), count=3, axis=-1)
    fresh = graph.op("Mul", keep_in, graph.op("Tanh", candidate))
    cell = graph.op("Add", graph.op("Mul", keep_old, cell), fresh)
    return graph.op("Mul", keep_out, graph.op("Tanh", cell)), cell


def _lstm_parameters(predictor: Predictor, layer: int) -> tuple[Array, Array]:
    """[2 hidden, 4 hidden] and [4 hidden], columns in the order input, forget, output, candidate."""
    lstm = predictor.lstm
    names = [f"{kind}_l{layer}" for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")]
    weight_ih, weight_hh, bias_ih, bias_hh = (array_of(getattr(lstm, name)) for name in names)
    # PyTorch's order is input, forget, candidate, output
    order = np.arange(4 * lstm.hidden_size).reshape(4, -1)[[0, 1, 3, 2]].ravel()
    weight = np.concatenate((weight_ih[order], weight_hh[order]), axis=1).T
    return weight, (bias_ih + bias_hh)[order]


def blank_is_zero(predictor: Predictor) -> Array:
    """The embedding with zeros for the blank: NeMo begins a sequence with zeros whatever is stored there."""
    table: Array = array_of(predictor.embedding.weight).copy()
    table[-1] = 0.0
    return table
