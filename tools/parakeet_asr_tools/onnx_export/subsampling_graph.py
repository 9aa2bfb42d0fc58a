"""The subsampling of the encoder graph: frames in, steps out."""

from __future__ import annotations

import numpy as np
from torch import nn

from parakeet_asr.engines.pytorch.model.encoder import Encoder
from parakeet_asr.engines.pytorch.model.subsampling import Subsampling
from parakeet_asr.nemo.config import EncoderConfig
from parakeet_asr_tools.onnx_export.builder import GraphBuilder
from parakeet_asr_tools.onnx_export.causal_subsampling import causal_subsampling
from parakeet_asr_tools.onnx_export.layers import array_of, valid_mask

DROWNED = -60000.0
"""What rows of padding become before a ReLU; the largest round number that float16 holds."""

_BLOCK_CHANNELS = 16  # channels that a CPU's vector register holds at most
_TO_CHANNELS_LAST = [0, 2, 3, 1]


def _halved(graph: GraphBuilder, length: str) -> str:
    """``(n - 1) // 2 + 1`` without a negative number for 0."""
    return graph.op("Div", graph.op("Add", length, graph.constant(1)), graph.constant(2))


def subsampling(
    graph: GraphBuilder, encoder: Encoder, config: EncoderConfig, features: str, length: str
) -> tuple[str, str, str]:
    """Returns [batch, steps, d_model], valid steps [batch] and the scalar number of steps.

    Padding must be zero before every strided convolution, because a window reaches one row into it. A
    product with a mask would take the activations out of the blocked layout; instead each convolution is
    given something hugely negative for those rows, and the ReLU behind it makes the zero. The last
    convolution has no window behind it.
    """
    module, mels = encoder.pre_encode, config.mels
    if module.causal:
        with graph.scope("pre_encode"):
            x, length, size = causal_subsampling(graph, module, features, length)
            return subsampling_projection(graph, module, x, encoder.scale), length, size
    convolutions = [layer for layer in module.conv if isinstance(layer, nn.Conv2d)]
    with graph.scope("pre_encode"):
        size = graph.op("Gather", graph.op("Shape", features), graph.constant(2), axis=0)
        x = graph.op("Transpose", features, perm=[0, 2, 1])
        x = graph.op("Mul", x, valid_mask(graph, length, size, [2]))
        x = graph.op("Unsqueeze", x, graph.constant([1]))  # [batch, 1, frames, mels]
        length, frames, size = _halved(graph, length), size, _halved(graph, size)
        x = graph.op("Relu", _first_convolution(graph, x, convolutions[0], mels, length, frames))
        bins = (mels + 1) // 2
        for i in range(1, len(convolutions), 2):
            bins = (bins + 1) // 2
            x = _convolution_2d(graph, x, convolutions[i], f"conv.{3 * (i // 2) + 2}")
            length, size = _halved(graph, length), _halved(graph, size)
            x = _convolution_2d(graph, x, convolutions[i + 1], f"conv.{3 * (i // 2) + 3}")
            if i + 2 < len(convolutions):
                x = graph.op("Add", x, _drowned_rows(graph, convolutions[i].out_channels, bins, length, size))
            x = graph.op("Relu", x)
        return subsampling_projection(graph, module, x, encoder.scale), length, size


def _first_convolution(
    graph: GraphBuilder, x: str, layer: nn.Conv2d, mels: int, length: str, size: str
) -> str:
    """The convolution over mel frames, which also drowns rows from ``length`` on.

    With one input channel a blocked convolution kernel is mostly overhead. So the nine taps are laid out as
    channels first, and a tenth channel says "beyond": output row r has input row 2 r in its middle, so
    that is the middle tap of a plane that is 1 from row ``2 length`` on. Then comes a pointwise convolution.
    """
    assert layer.bias is not None
    beyond = _beyond(graph, graph.op("Mul", length, graph.constant(2)), size, mels)
    x = graph.op("Concat", x, beyond, axis=1)
    taps = np.zeros((_BLOCK_CHANNELS, 2, 3, 3), np.float32)
    taps[np.arange(9), 0, np.arange(9) // 3, np.arange(9) % 3] = 1.0
    taps[9, 1, 1, 1] = 1.0
    x = graph.op("Conv", x, graph.floats(taps), pads=[1, 1, 1, 1], strides=[2, 2])
    weight = np.zeros((layer.out_channels, _BLOCK_CHANNELS, 1, 1), np.float32)
    weight[:, :9, 0, 0] = array_of(layer.weight).reshape(-1, 9)
    weight[:, 9] = DROWNED
    bias = graph.weight("conv.0.bias", array_of(layer.bias))
    return graph.op("Conv", x, graph.weight("conv.0.weight", weight, exact=True), bias)


def _drowned_rows(graph: GraphBuilder, channels: int, bins: int, length: str, size: str) -> str:
    """[batch, channels, steps, bins]: hugely negative from ``length`` on, 0 before.

    Made by a convolution, so that it comes in the layout of what it is added to: ONNX Runtime then
    adds it inside of the convolution before it.
    """
    column = graph.floats(np.full((channels, 1, 1, 1), DROWNED))
    return graph.op("Conv", _beyond(graph, length, size, bins), column)


def _beyond(graph: GraphBuilder, length: str, size: str, bins: int) -> str:
    """[batch, 1, size, bins]: 1.0 from ``length`` on, 0.0 before."""
    outside = graph.op("Sub", graph.floats(1.0), valid_mask(graph, length, size, [1, 3]))
    return graph.op("Expand", outside, graph.constant([1, 1, 1, bins]))


def _convolution_2d(graph: GraphBuilder, x: str, layer: nn.Conv2d, name: str) -> str:
    assert layer.bias is not None
    assert isinstance(layer.padding, tuple)
    weight = graph.weight(f"{name}.weight", array_of(layer.weight))
    bias = graph.weight(f"{name}.bias", array_of(layer.bias))
    pads = [*layer.padding, *layer.padding]
    return graph.op("Conv", x, weight, bias, group=layer.groups, pads=pads, strides=list(layer.stride))


def subsampling_projection(graph: GraphBuilder, module: Subsampling, x: str, scale: float) -> str:
    """[batch, channels, steps, bins] -> [batch, steps, d_model].

    The weight's rows are put into (bin, channel) order, so that channels-last memory is what it reads.
    """
    rows = module.out.in_features
    channels = module.conv[0].out_channels
    assert isinstance(channels, int)
    x = graph.op("Transpose", x, perm=_TO_CHANNELS_LAST)
    x = graph.op("Reshape", x, graph.constant([0, 0, rows]))
    weight = array_of(module.out.weight).reshape(-1, channels, rows // channels)
    weight = weight.transpose(2, 1, 0).reshape(rows, -1)
    factor = None if scale == 1.0 else np.full((1, 1), scale, np.float32)
    y = graph.op("MatMul", x, graph.weight("out.weight", weight, factor))
    return graph.op("Add", y, graph.weight("out.bias", array_of(module.out.bias) * np.float32(scale)))
