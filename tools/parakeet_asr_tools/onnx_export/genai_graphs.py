"""The three graphs of an ONNX Runtime GenAI bundle, with the names that its transducer models use.

Unlike ours, the joint network is not fused with the predictor, and the encoder's output is not projected.
"""

from __future__ import annotations

import numpy as np

from parakeet_asr.engines.pytorch.model.transducer import Predictor, Transducer
from parakeet_asr_tools.onnx_export.builder import Array, GraphBuilder
from parakeet_asr_tools.onnx_export.decoder_graph import blank_is_zero, combine
from parakeet_asr_tools.onnx_export.encoder_graph import write_encoder_alone
from parakeet_asr_tools.onnx_export.layers import array_of, linear


def write_genai_decoder(graph: GraphBuilder, model: Transducer) -> None:
    """The predictor over any number of tokens: [batch, tokens] in, [batch, hidden, tokens] out.

    ``target_length`` goes through unchanged: GenAI passes it on, and no row is padded.
    """
    predictor = model.decoder
    lstm = predictor.lstm
    state = (lstm.num_layers, "batch", lstm.hidden_size)
    tokens = graph.input("targets", "int64", ("batch", "tokens"))
    length = graph.input("target_length", "int64", ("batch",))
    hidden_in = graph.input("h_in", "float32", state)
    cell_in = graph.input("c_in", "float32", state)
    with graph.scope("predictor"):
        x = graph.op("Gather", graph.weight("embedding", blank_is_zero(predictor)), tokens, axis=0)
        x = graph.op("Transpose", x, perm=[1, 0, 2])  # [tokens, batch, hidden]
        hidden, cell = [], []
        for i in range(lstm.num_layers):
            with graph.scope(f"lstm.{i}"):
                x, last_hidden, last_cell = _lstm(graph, predictor, i, x, hidden_in, cell_in)
                hidden.append(last_hidden)
                cell.append(last_cell)
        out = graph.op("Transpose", x, perm=[1, 2, 0])
    graph.output("outputs", out, "float32", ("batch", lstm.hidden_size, "tokens"))
    graph.output("prednet_lengths", length, "int64", ("batch",))
    graph.output("h_out", graph.op("Concat", *hidden, axis=0), "float32", state)
    graph.output("c_out", graph.op("Concat", *cell, axis=0), "float32", state)


def write_genai_joint(graph: GraphBuilder, model: Transducer) -> None:
    """Encoder steps and predictor outputs in, raw logits of every pair out."""
    config = model.config
    steps = graph.input("encoder_outputs", "float32", ("batch", "T", config.encoder.d_model))
    tokens = graph.input("decoder_outputs", "float32", ("batch", "U", config.predictor.hidden))
    with graph.scope("joint"):
        steps = graph.op("Unsqueeze", linear(graph, steps, model.joint.enc, "enc"), graph.constant([2]))
        tokens = graph.op("Unsqueeze", linear(graph, tokens, model.joint.pred, "pred"), graph.constant([1]))
        logits = combine(graph, model, steps, tokens)
    graph.output("outputs", logits, "float32", ("batch", "T", "U", config.logits_size))


GENAI_GRAPHS = {"encoder": write_encoder_alone, "decoder": write_genai_decoder, "joint": write_genai_joint}
"""By the names that ``model.json`` gives them; ``core.model_spec.split_graphs`` says what they look like."""


def _lstm(
    graph: GraphBuilder, predictor: Predictor, layer: int, x: str, hidden_in: str, cell_in: str
) -> tuple[str, str, str]:
    """One layer: [tokens, batch, hidden] out, and the last states, [1, batch, hidden] each."""
    lstm = predictor.lstm
    weight_ih, weight_hh, bias_ih, bias_hh = (
        _gates_of_onnx(array_of(getattr(lstm, f"{kind}_l{layer}")))
        for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    )
    here = [graph.constant([layer]), graph.constant([layer + 1]), graph.constant([0])]
    outputs = graph.split_op(
        "LSTM",
        x,
        graph.weight("weight_ih", weight_ih[None]),
        graph.weight("weight_hh", weight_hh[None]),
        graph.weight("bias", np.concatenate((bias_ih, bias_hh))[None], exact=True),
        "",  # every row has all tokens
        graph.op("Slice", hidden_in, *here),
        graph.op("Slice", cell_in, *here),
        count=3,
        hidden_size=lstm.hidden_size,
    )
    return graph.op("Squeeze", outputs[0], graph.constant([1])), outputs[1], outputs[2]


def _gates_of_onnx(rows: Array) -> Array:
    """PyTorch's input, forget, candidate, output -> ONNX's input, output, forget, candidate."""
    gates = np.split(rows, 4)
    return np.concatenate([gates[i] for i in (0, 3, 1, 2)])
