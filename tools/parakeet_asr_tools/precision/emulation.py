"""A mixed-precision graph as a CPU can compute it: in float32, each result rounded as it would be stored.

ONNX Runtime's CPU kernels know little of float16 and nothing of bfloat16. Tensor cores multiply in low
precision and sum in float32, so rounding behind every node comes closer to them than the casts that ONNX
Runtime would put around groups of nodes. The order of sums differs; that is below what rounding does.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

_LOW = (TensorProto.FLOAT16, TensorProto.BFLOAT16)


def emulate(path: Path, out: Path) -> None:
    """Write the graph at ``path``, whose weights fit into memory, as a float32 one that rounds."""
    model = onnx.load(str(path))
    typed = onnx.shape_inference.infer_shapes(model).graph
    kinds = {info.name: info.type.tensor_type.elem_type for info in (*typed.value_info, *typed.output)}
    nodes: list[onnx.NodeProto] = []
    for node in model.graph.node:
        rounded = [(i, kinds[name]) for i, name in enumerate(node.output) if kinds.get(name) in _LOW]
        copy = onnx.NodeProto()
        copy.CopyFrom(node)
        if node.op_type == "Cast" and rounded:
            copy.attribute[0].i = TensorProto.FLOAT
        after = []
        for i, kind in rounded:
            name = node.output[i]
            copy.output[i] = f"{name}.exact"
            after.append(helper.make_node("Cast", [copy.output[i]], [f"{name}.low"], to=kind))
            after.append(helper.make_node("Cast", [f"{name}.low"], [name], to=TensorProto.FLOAT))
        nodes += [copy, *after]
    initializers = [_as_float32(tensor) for tensor in model.graph.initializer]
    graph = helper.make_graph(nodes, "emulated", model.graph.input, model.graph.output, initializers)
    made = helper.make_model(graph, ir_version=model.ir_version, opset_imports=model.opset_import)
    onnx.save(made, str(out))


def _as_float32(tensor: TensorProto) -> TensorProto:
    if tensor.data_type not in _LOW:
        return tensor
    return numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float32), tensor.name)
