"""Graph fusion of the Conformer: groups of nodes that ONNX Runtime has one operator for.

ONNX Runtime does many of these by itself when it loads a graph, but not the one with the residual sum: its
result is read twice, by the norm and by the next sum.
"""

from __future__ import annotations

from collections import Counter

import onnx
from onnx import helper

CONTRIB_DOMAIN = "com.microsoft"


def fuse(model: onnx.ModelProto) -> dict[str, int]:
    """Fuse in place; returns how many operators of each kind were made."""
    made = {
        "SkipLayerNormalization": _fuse_skip_layer_norm(model.graph),
        "QuickGelu": _fuse_quick_gelu(model.graph),
    }
    declare_contrib(model)
    return made


def declare_contrib(model: onnx.ModelProto) -> None:
    """Declare ONNX Runtime's own operators where they are used; not every quantiser does."""
    used = any(node.domain == CONTRIB_DOMAIN for node in model.graph.node)
    if used and all(opset.domain != CONTRIB_DOMAIN for opset in model.opset_import):
        model.opset_import.append(helper.make_opsetid(CONTRIB_DOMAIN, 1))


def _fuse_skip_layer_norm(graph: onnx.GraphProto) -> int:
    """``LayerNormalization(a + b)`` -> ``SkipLayerNormalization(a, b)``, whose fourth output is the sum."""
    makers = _makers(graph)
    constants = {tensor.name for tensor in graph.initializer}
    fused: dict[str, onnx.NodeProto] = {}  # by the norm's output
    sums: set[str] = set()
    for norm in graph.node:
        residual = makers.get(norm.input[0]) if norm.op_type == "LayerNormalization" else None
        if residual is None or residual.op_type != "Add" or constants & set(residual.input):
            continue
        (total,) = residual.output
        if total in sums:
            continue  # another norm of the same sum: it keeps its own operator
        sums.add(total)
        epsilon = next((a.f for a in norm.attribute if a.name == "epsilon"), 1e-5)
        fused[norm.output[0]] = helper.make_node(
            "SkipLayerNormalization",
            [*residual.input, *norm.input[1:]],
            [norm.output[0], "", "", total],
            name=norm.name,
            domain=CONTRIB_DOMAIN,
            epsilon=epsilon,
        )
    _replace(graph, fused, sums)
    return len(fused)


def _fuse_quick_gelu(graph: onnx.GraphProto) -> int:
    """``x sigmoid(x)`` -> ``QuickGelu(x, alpha=1)``."""
    makers, readers = _makers(graph), Counter(name for node in graph.node for name in node.input)
    fused: dict[str, onnx.NodeProto] = {}
    gates: set[str] = set()
    for product in graph.node:
        if product.op_type != "Mul":
            continue
        for x, gate in (tuple(product.input), tuple(reversed(product.input))):
            maker = makers.get(gate)
            if maker is None or maker.op_type != "Sigmoid" or maker.input[0] != x or readers[gate] != 1:
                continue
            gates.add(gate)
            fused[product.output[0]] = helper.make_node(
                "QuickGelu", [x], list(product.output), name=product.name, domain=CONTRIB_DOMAIN, alpha=1.0
            )
            break
    _replace(graph, fused, gates)
    return len(fused)


def _makers(graph: onnx.GraphProto) -> dict[str, onnx.NodeProto]:
    return {name: node for node in graph.node for name in node.output}


def _replace(graph: onnx.GraphProto, fused: dict[str, onnx.NodeProto], gone: set[str]) -> None:
    """Put fused nodes where their results were made, and leave out the nodes that made ``gone``."""
    nodes = [fused.get(node.output[0], node) for node in graph.node if node.output[0] not in gone]
    kept = [onnx.NodeProto.FromString(node.SerializeToString()) for node in nodes]
    del graph.node[:]
    graph.node.extend(kept)
