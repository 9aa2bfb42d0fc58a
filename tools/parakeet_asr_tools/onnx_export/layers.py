"""Pieces that several graphs share: linear layers, norms, activations, masks."""

from __future__ import annotations

import numpy as np
from torch import Tensor, nn

from parakeet_asr_tools.onnx_export.builder import Array, GraphBuilder


def array_of(tensor: Tensor) -> Array:
    """A parameter as a numpy array, without a copy where it is float32 already."""
    array: Array = tensor.detach().numpy().astype(np.float32, copy=False)
    return array


def linear(
    graph: GraphBuilder, x: str, module: nn.Linear | nn.Conv1d, name: str, scale: float | None = None
) -> str:
    """``(x W^T + b) scale`` for x [..., in]; a kernel-1 convolution over channels-last x counts as linear.

    The scale goes into the weights, so it costs nothing when the graph runs.
    """
    weight = array_of(module.weight)
    factor = None if scale is None else np.full((1, 1), scale, np.float32)
    y = graph.op("MatMul", x, graph.weight(f"{name}.weight", weight.reshape(weight.shape[0], -1).T, factor))
    if module.bias is None:
        return y
    bias = array_of(module.bias)
    return graph.op(
        "Add", y, graph.weight(f"{name}.bias", bias if scale is None else bias * np.float32(scale))
    )


def layer_norm(graph: GraphBuilder, x: str, module: nn.LayerNorm, name: str) -> str:
    """LayerNorm over the last axis."""
    weight = graph.weight(f"{name}.weight", array_of(module.weight))
    bias = graph.weight(f"{name}.bias", array_of(module.bias))
    return graph.op("LayerNormalization", x, weight, bias, axis=-1, epsilon=module.eps)


def swish(graph: GraphBuilder, x: str) -> str:
    """``x sigmoid(x)``, in the form that runtimes recognize as one operation."""
    return graph.op("Mul", x, graph.op("Sigmoid", x))


def valid_mask(graph: GraphBuilder, length: str, size: str, axes: list[int]) -> str:
    """1.0 before each length, 0.0 after.

    Args:
        graph: to add to.
        length: [batch] int64.
        size: int64 scalar.
        axes: where to put axes of size one around [batch, size].
    """
    steps = graph.op("Range", graph.constant(0), size, graph.constant(1))
    column = graph.op("Unsqueeze", length, graph.constant([1]))
    mask = graph.op("Cast", graph.op("Less", steps, column), to=1)
    return graph.op("Unsqueeze", mask, graph.constant(axes))
