"""The subsampling of a causal model: nothing is seen to the right, so it can go on chunk by chunk."""

from __future__ import annotations

from torch import nn

from parakeet_asr.engines.pytorch.model.subsampling import Subsampling
from parakeet_asr_tools.onnx_export.builder import GraphBuilder
from parakeet_asr_tools.onnx_export.layers import array_of, valid_mask

_PADS = [2, 2, 1, 1]  # before in time and frequency, behind in time and frequency


def causal_subsampling(
    graph: GraphBuilder, module: Subsampling, features: str, length: str, first: str | None = None
) -> tuple[str, str, str]:
    """The convolutions.

    Args:
        graph: to add to.
        module: a causal one.
        features: [batch, mels, frames].
        length: [batch] valid frames.
        first: [batch] columns on the left that stand for nothing; multiples of the subsampling factor.

    Returns:
        [batch, channels, steps, bins], valid steps [batch], and the scalar number of steps.
    """
    size = graph.op("Gather", graph.op("Shape", features), graph.constant(2), axis=0)
    x = graph.op("Unsqueeze", graph.op("Transpose", features, perm=[0, 2, 1]), graph.constant([1]))
    for i, layer in enumerate(module.conv):
        if isinstance(layer, nn.ReLU):
            x = graph.op("Relu", x)
            continue
        assert isinstance(layer, nn.Conv2d)
        assert layer.bias is not None
        strided = layer.stride == (2, 2)
        if strided:  # a window reaches into the padding, which is not zero any more after a bias
            x = graph.op("Mul", x, _mask(graph, length, size, first))
            length, size = _halved(graph, length), _halved(graph, size)
            first = None if first is None else graph.op("Div", first, graph.constant(2))
        weight = graph.weight(f"conv.{i}.weight", array_of(layer.weight))
        bias = graph.weight(f"conv.{i}.bias", array_of(layer.bias))
        pads = _PADS if strided else [0, 0, 0, 0]
        x = graph.op("Conv", x, weight, bias, group=layer.groups, pads=pads, strides=list(layer.stride))
    return x, length, size


def _halved(graph: GraphBuilder, length: str) -> str:
    """``n // 2 + 1``: rows of a stride-2 convolution of 3 rows behind a padding of 2 and 1."""
    return graph.op("Add", graph.op("Div", length, graph.constant(2)), graph.constant(1))


def _mask(graph: GraphBuilder, length: str, size: str, first: str | None) -> str:
    """[batch, 1, size, 1]: 1.0 from ``first`` up to ``length``, 0.0 elsewhere."""
    before = valid_mask(graph, length, size, [1, 3])
    return before if first is None else graph.op("Sub", before, valid_mask(graph, first, size, [1, 3]))
