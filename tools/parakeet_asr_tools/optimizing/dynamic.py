"""INT8 weights and activations that are scaled at run time (``int8-dynamic``), written in place.

ONNX Runtime's ``quantize_dynamic`` gives the same numbers, and keeps the float32 weights four times on the
way: 10 GB for an encoder of 2.4 GB.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

_LARGEST = 255  # unsigned: signed weights can overflow on a CPU without VNNI


def quantize_dynamic(graph: onnx.GraphProto) -> None:
    """Replace every product with a constant matrix as second factor.

    ONNX Runtime knows the five nodes of one as ``DynamicQuantizeMatMul`` when it loads the graph.
    """
    weights = {tensor.name: tensor for tensor in graph.initializer if len(tensor.dims) == 2}
    nodes: list[onnx.NodeProto] = []
    scaled: set[str] = set()  # activations; several products may read one
    replaced: set[str] = set()
    for node in graph.node:
        if node.op_type != "MatMul" or node.input[1] not in weights:
            nodes.append(node)
            continue
        x, weight = node.input
        if x not in scaled:
            scaled.add(x)
            parts = [f"{x}.uint8", f"{x}.scale", f"{x}.zero_point"]
            nodes.append(helper.make_node("DynamicQuantizeLinear", [x], parts, name=f"{x}.scaling"))
        if weight not in replaced:
            replaced.add(weight)
            graph.initializer.extend(_tensors(weights[weight]))
        nodes += _product(node)
    _keep(graph, nodes, replaced)


def unsigned(weight: NDArray[np.float32]) -> tuple[NDArray[np.uint8], NDArray[np.float32], NDArray[np.uint8]]:
    """Numbers [rows, columns], scale and zero point of each column: weight = (number - zero point) scale."""
    low = np.minimum(weight.min(axis=0), 0).astype(np.float64)
    high = np.maximum(weight.max(axis=0), 0).astype(np.float64)
    step = (high - low) / _LARGEST
    step[step == 0] = 1.0
    zero_point = np.rint(-low / step).astype(np.uint8)
    scale = step.astype(np.float32)
    numbers = np.rint(weight / scale) + zero_point.astype(np.float32)
    return np.clip(numbers, 0, _LARGEST).astype(np.uint8), scale, zero_point


def _tensors(weight: TensorProto) -> Iterator[TensorProto]:
    numbers, scale, zero_point = unsigned(numpy_helper.to_array(weight))
    yield numpy_helper.from_array(numbers, f"{weight.name}.uint8")
    yield numpy_helper.from_array(scale, f"{weight.name}.scale")
    yield numpy_helper.from_array(zero_point, f"{weight.name}.zero_point")


def _product(node: onnx.NodeProto) -> Iterator[onnx.NodeProto]:
    """Product of integers, and both scales on it."""
    (x, weight), (output,) = node.input, node.output
    integers = [f"{x}.uint8", f"{weight}.uint8", f"{x}.zero_point", f"{weight}.zero_point"]
    yield helper.make_node("MatMulInteger", integers, [f"{output}.int32"], name=node.name)
    yield helper.make_node(
        "Cast", [f"{output}.int32"], [f"{output}.unscaled"], name=f"{output}.unscaled", to=TensorProto.FLOAT
    )
    scales = [f"{x}.scale", f"{weight}.scale"]
    yield helper.make_node("Mul", scales, [f"{output}.scales"], name=f"{output}.scales")
    yield helper.make_node(
        "Mul", [f"{output}.unscaled", f"{output}.scales"], [output], name=f"{output}.scaled"
    )


def _keep(graph: onnx.GraphProto, nodes: list[onnx.NodeProto], replaced: set[str]) -> None:
    """These nodes, and all weights but those that were replaced."""
    copies = [onnx.NodeProto.FromString(node.SerializeToString()) for node in nodes]
    del graph.node[:]
    graph.node.extend(copies)
    for i in reversed(range(len(graph.initializer))):
        if graph.initializer[i].name in replaced:
            del graph.initializer[i]
