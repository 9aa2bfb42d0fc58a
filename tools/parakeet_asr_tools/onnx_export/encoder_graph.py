"""The encoder graph: subsampling, FastConformer layers, and the joint network's encoder projection.

Written for speed on a CPU without giving up any standard operator:

* convolutions are 2-D with their channels' transposition right beside them, which ONNX Runtime turns
  into its blocked layout; batch norm is folded into the depthwise weights;
* the attention scale, the halves of the feed-forward residuals and ``xscaling`` live in the weights;
* positions are projected once per layer for the length at hand, whatever the batch;
* padding is dealt with only where it could reach a valid step, and then without leaving the layout.
"""

from __future__ import annotations

import math

import numpy as np
from torch import nn

from parakeet_asr.engines.pytorch.model.attention import MASKED_SCORE, RelativeAttention
from parakeet_asr.engines.pytorch.model.convolution import Convolution
from parakeet_asr.engines.pytorch.model.encoder import ConformerLayer, FeedForward
from parakeet_asr.engines.pytorch.model.transducer import Transducer
from parakeet_asr.nemo.config import EncoderConfig
from parakeet_asr_tools.onnx_export.builder import Array, GraphBuilder
from parakeet_asr_tools.onnx_export.layers import array_of, layer_norm, linear, swish, valid_mask
from parakeet_asr_tools.onnx_export.subsampling_graph import subsampling
from parakeet_asr_tools.onnx_export.surroundings import Surroundings

_TO_CHANNELS_LAST = [0, 2, 3, 1]
_TO_CHANNELS_FIRST = [0, 3, 1, 2]


def write_encoder(graph: GraphBuilder, model: Transducer) -> None:
    """Fill ``graph`` with the encoder of ``model``; names and shapes as docs/architecture.md says."""
    x, steps_valid = _encoder_steps(graph, model)
    with graph.scope("joint"):
        projected = linear(graph, x, model.joint.enc, "enc")
    _outputs(graph, model, x, steps_valid)
    graph.output("encoded_projected", projected, "float32", ("batch", "steps", model.config.joint.hidden))


def write_encoder_alone(graph: GraphBuilder, model: Transducer) -> None:
    """The same without the joint network's projection."""
    _outputs(graph, model, *_encoder_steps(graph, model))


def _encoder_steps(graph: GraphBuilder, model: Transducer) -> tuple[str, str]:
    """Inputs and layers; returns [batch, steps, d_model] and [batch] valid steps."""
    config = model.config.encoder
    features = graph.input("audio_signal", "float32", ("batch", config.mels, "frames"))
    length = graph.input("length", "int64", ("batch",))
    x, steps_valid, steps = subsampling(graph, model.encoder, config, features, length)
    shared = _WholePass(graph, config, steps_valid, steps)
    for i, layer in enumerate(model.encoder.layers):
        assert isinstance(layer, ConformerLayer)
        with graph.scope(f"layers.{i}"):
            x = conformer_layer(graph, layer, x, shared)
    return x, steps_valid


def _outputs(graph: GraphBuilder, model: Transducer, x: str, steps_valid: str) -> None:
    channels_first = graph.op("Transpose", x, perm=[0, 2, 1])
    graph.output("outputs", channels_first, "float32", ("batch", model.config.encoder.d_model, "steps"))
    graph.output("encoded_lengths", steps_valid, "int64", ("batch",))


class _WholePass:
    """Every step of the audio is there: the :class:`Surroundings` of all layers, computed once."""

    def __init__(self, graph: GraphBuilder, config: EncoderConfig, valid: str, steps: str) -> None:
        self._graph = graph
        with graph.scope("shared"):
            mask = valid_mask(graph, valid, steps, [])
            self.convolution_mask = graph.op("Unsqueeze", mask, graph.constant([2]))  # [batch, steps, 1]
            outside = graph.op("Sub", mask, graph.floats(1.0))
            score = graph.op("Mul", outside, graph.floats(-MASKED_SCORE))
            self.score_mask = graph.op("Unsqueeze", score, graph.constant([1, 2]))  # [batch, 1, 1, steps]
            if config.attention_style == "chunked_limited":
                self.score_mask = graph.op("Min", self.score_mask, _chunk_score(graph, config, steps))
            size = graph.op("Unsqueeze", steps, graph.constant([0]))
            self.keys = size
            self.rows_of_queries = graph.op("Concat", graph.constant([0, 0, -1]), size, axis=0)
            rows = [graph.constant([0, 0]), size, graph.constant([-1])]
            self.queries_of_rows = graph.op("Concat", *rows, axis=0)
            self._positions = _positions(graph, config.d_model, steps)

    def attention_context(self, x: str) -> str:
        """The steps themselves."""
        return x

    def positions(self, module: RelativeAttention) -> str:
        """Projected for the length at hand."""
        weight = self._graph.weight("linear_pos.weight", _position_weight(module))
        shape = self._graph.constant([1, *module.pos_bias_u.shape, -1])
        return self._graph.op("Reshape", self._graph.op("MatMul", weight, self._positions), shape)

    def convolution_context(self, x: str, context: tuple[int, int]) -> tuple[str, list[int]]:
        """Nothing lies outside."""
        return x, [0, context[0], 0, context[1]]


def _chunk_score(graph: GraphBuilder, config: EncoderConfig, steps: str) -> str:
    """[1, 1, steps, steps]: 0.0 for a query's own chunk and those before it that it sees (``chunk_mask``)."""
    left, right = config.attention_context_steps
    places = graph.op("Range", graph.constant(0), steps, graph.constant(1))
    chunk = graph.op("Div", places, graph.constant(right + 1))
    behind = graph.op("Sub", graph.op("Unsqueeze", chunk, graph.constant([1])), chunk)
    future = graph.op("Less", behind, graph.constant(0))
    forgotten = graph.op("Greater", behind, graph.constant(left // (right + 1)))
    hidden = graph.op("Or", future, forgotten)
    score = graph.op("Where", hidden, graph.floats(MASKED_SCORE), graph.floats(0.0))
    return graph.op("Unsqueeze", score, graph.constant([0, 1]))


def _positions(graph: GraphBuilder, d_model: int, steps: str) -> str:
    """Sinusoids of the distances ``steps ... -(steps - 1)``, [d_model, 2 steps], sines above cosines.

    One distance more than needed: with a row of ``2 steps`` the relative shift is two reshapes.
    """
    distance = graph.op("Range", steps, graph.op("Neg", steps), graph.constant(-1))
    distance = graph.op("Cast", distance, to=1)
    exponent = np.arange(0, d_model, 2, dtype=np.float32) * np.float32(-(math.log(10000.0) / d_model))
    frequency = np.exp(exponent.astype(np.float64))  # float32 exp differs from processor to processor
    angle = graph.op("Mul", graph.floats(frequency[:, None]), distance)
    return graph.op("Concat", graph.op("Sin", angle), graph.op("Cos", angle), axis=0)


def conformer_layer(graph: GraphBuilder, layer: ConformerLayer, x: str, shared: Surroundings) -> str:
    """One layer, [batch, queries, d_model] in and out."""
    with graph.scope("feed_forward1"):
        y = layer_norm(graph, x, layer.norm_feed_forward1, "norm")
        x = graph.op("Add", x, _feed_forward(graph, layer.feed_forward1, y))
    with graph.scope("self_attn"):
        y = layer_norm(graph, x, layer.norm_self_att, "norm")
        x = graph.op("Add", x, _attention(graph, layer.self_attn, y, shared))
    with graph.scope("conv"):
        y = layer_norm(graph, x, layer.norm_conv, "norm")
        x = graph.op("Add", x, _convolution(graph, layer.conv, y, shared))
    with graph.scope("feed_forward2"):
        y = layer_norm(graph, x, layer.norm_feed_forward2, "norm")
        x = graph.op("Add", x, _feed_forward(graph, layer.feed_forward2, y))
    return layer_norm(graph, x, layer.norm_out, "norm_out")


def _feed_forward(graph: GraphBuilder, module: FeedForward, x: str) -> str:
    """Half of the feed-forward module: the 0.5 of the residual is in the last weights."""
    x = swish(graph, linear(graph, x, module.linear1, "linear1"))
    return linear(graph, x, module.linear2, "linear2", scale=0.5)


def _attention(graph: GraphBuilder, module: RelativeAttention, x: str, shared: Surroundings) -> str:
    heads, size = module.heads, module.pos_bias_u.shape[1]
    scale = 1.0 / math.sqrt(size)
    query = _heads(graph, linear(graph, x, module.linear_q, "linear_q", scale), heads, size, [0, 2, 1, 3])
    context = shared.attention_context(x)
    key = _heads(graph, linear(graph, context, module.linear_k, "linear_k"), heads, size, [0, 2, 3, 1])
    value = _heads(graph, linear(graph, context, module.linear_v, "linear_v"), heads, size, [0, 2, 1, 3])
    bias_u = graph.weight("pos_bias_u", array_of(module.pos_bias_u)[:, None] * np.float32(scale))
    bias_v = graph.weight("pos_bias_v", array_of(module.pos_bias_v)[:, None] * np.float32(scale))
    content = graph.op("MatMul", graph.op("Add", query, bias_u), key)
    position = shared.positions(module)
    placed = graph.op("MatMul", graph.op("Add", query, bias_v), position)
    placed = _relative_shift(graph, placed, shared)
    scores = graph.op("Add", graph.op("Add", content, placed), shared.score_mask)
    mixed = graph.op("MatMul", graph.op("Softmax", scores, axis=-1), value)
    mixed = graph.op("Transpose", mixed, perm=[0, 2, 1, 3])
    mixed = graph.op("Reshape", mixed, graph.constant([0, 0, heads * size]))
    return linear(graph, mixed, module.linear_out, "linear_out")


def _heads(graph: GraphBuilder, x: str, heads: int, size: int, perm: list[int]) -> str:
    """[batch, steps, d_model] split into heads and transposed."""
    return graph.op("Transpose", graph.op("Reshape", x, graph.constant([0, 0, heads, size])), perm=perm)


def _position_weight(module: RelativeAttention) -> Array:
    """[d_model out, d_model in] with the inputs sorted into sines, then cosines."""
    weight = array_of(module.linear_pos.weight)
    return np.concatenate((weight[:, 0::2], weight[:, 1::2]), axis=1)


def _relative_shift(graph: GraphBuilder, placed: str, shared: Surroundings) -> str:
    """[batch, heads, Q, K + Q] over distances K ... -(Q - 1) -> [batch, heads, Q, K] over keys.

    Read as K + Q rows of Q, without the first row, read as Q rows of K + Q - 1: row i begins at distance
    K - Q + i.
    """
    rows = graph.op("Reshape", placed, shared.rows_of_queries)
    rows = graph.op("Slice", rows, graph.constant([1]), graph.constant([2**31 - 1]), graph.constant([2]))
    shifted = graph.op("Reshape", rows, shared.queries_of_rows)
    return graph.op("Slice", shifted, graph.constant([0]), shared.keys, graph.constant([3]))


def _convolution(graph: GraphBuilder, module: Convolution, x: str, shared: Surroundings) -> str:
    x, gate = graph.split_op(
        "Split", linear(graph, x, module.pointwise_conv1, "pointwise_conv1"), count=2, axis=-1
    )
    x = graph.op("Mul", x, graph.op("Sigmoid", gate))
    x = graph.op("Mul", x, shared.convolution_mask)
    x = graph.op("Unsqueeze", x, graph.constant([1]))
    x = graph.op("Transpose", x, perm=_TO_CHANNELS_FIRST)  # [batch, d_model, 1, steps]
    x, pads = shared.convolution_context(x, module.context)
    weight, bias = _depthwise_parameters(module)
    inputs = [x, graph.weight("depthwise_conv.weight", weight, exact=True)]
    if bias is not None:
        inputs.append(graph.weight("depthwise_conv.bias", bias))
    x = graph.op("Conv", *inputs, group=weight.shape[0], pads=pads)
    x = graph.op("Transpose", x, perm=_TO_CHANNELS_LAST)
    x = graph.op("Squeeze", x, graph.constant([1]))
    if isinstance(module.batch_norm, nn.LayerNorm):
        x = layer_norm(graph, x, module.batch_norm, "batch_norm")
    return linear(graph, swish(graph, x), module.pointwise_conv2, "pointwise_conv2")


def _depthwise_parameters(module: Convolution) -> tuple[Array, Array | None]:
    """Weight [d_model, 1, 1, kernel] and bias, with a batch norm behind folded in (in float64)."""
    convolution, norm = module.depthwise_conv, module.batch_norm
    weight = array_of(convolution.weight).astype(np.float64)[:, :, None]
    bias = None if convolution.bias is None else array_of(convolution.bias).astype(np.float64)
    if isinstance(norm, nn.BatchNorm1d):
        assert norm.running_mean is not None
        assert norm.running_var is not None
        gain = array_of(norm.weight) / np.sqrt(array_of(norm.running_var).astype(np.float64) + norm.eps)
        shift = (0.0 if bias is None else bias) - array_of(norm.running_mean)
        weight, bias = weight * gain[:, None, None, None], array_of(norm.bias) + shift * gain
    return weight.astype(np.float32), None if bias is None else bias.astype(np.float32)
