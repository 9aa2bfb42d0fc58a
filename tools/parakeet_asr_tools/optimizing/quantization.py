"""Weights in 4 or 8 bits; all but those of ``dynamic`` by ONNX Runtime's own quantisers."""

from __future__ import annotations

import logging
import re
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from typing import Any, Literal

import onnx
from onnx import helper, numpy_helper

from parakeet_asr.errors import ConfigurationError
from parakeet_asr_tools.optimizing.dynamic import quantize_dynamic
from parakeet_asr_tools.optimizing.fusion import declare_contrib

Method = Literal["rtn", "k_quant_mixed", "hqq", "int8", "int8-dynamic"]
METHODS: dict[Method, str] = {
    "rtn": "INT4, symmetric, rounded to the nearest",
    "k_quant_mixed": "INT4 with k-quant's search, INT8 where errors hurt most",
    "hqq": "INT4, half-quadratic (slow to make)",
    "int8": "INT8 weights, computed as they are",
    "int8-dynamic": "INT8 weights and activations, scaled at run time",
}

_LAYER = re.compile(r"layers\.(\d+)/")
_SENSITIVE = re.compile(r"/(linear_v|linear2)\.weight")  # what llama.cpp's mixed k-quants give more bits
_ENDS = ("pre_encode/", "joint/")


@dataclass(frozen=True, slots=True)
class Quantization:
    """What the user may choose."""

    method: Method = "rtn"
    block_size: int = 32  # weights that share a scale; not for int8-dynamic, which has one per channel
    accuracy_level: int = 4  # of MatMulNBits: 0 the kernel's choice, 1 float32 ... 4 int8 activations

    def check(self) -> None:
        """Refuse what the kernels cannot run.

        Raises:
            ConfigurationError: naming the value.
        """
        if self.block_size < 16 or self.block_size & (self.block_size - 1):
            raise ConfigurationError(f"block size: expected a power of two from 16 on, got {self.block_size}")
        if not 0 <= self.accuracy_level <= 4:
            raise ConfigurationError(f"accuracy level: expected 0 to 4, got {self.accuracy_level}")


def quantize(model: onnx.ModelProto, options: Quantization) -> tuple[onnx.ModelProto, dict[str, int]]:
    """Quantise every product with a constant matrix.

    Args:
        model: float32 weights in memory (``read_folded``); may be changed.
        options: how.

    Returns:
        The quantised model, and how many of its nodes compute with how many bits.
    """
    constants_to_the_right(model.graph)
    if options.method == "int8-dynamic":
        quantize_dynamic(model.graph)
        return model, _bits(model)
    with _quiet(), _one_thread():
        made = _weight_only(model, options)
    declare_contrib(made)
    return made, _bits(made)


def constants_to_the_right(graph: onnx.GraphProto) -> None:
    """``W x`` -> ``(x^T W^T)^T``: the quantised kernels take the constant as second factor only."""
    constants = {tensor.name: tensor for tensor in graph.initializer}
    nodes: list[onnx.NodeProto] = []
    turned: dict[str, str] = {}
    for node in graph.node:
        left = constants.get(node.input[0]) if node.op_type == "MatMul" else None
        if left is None or len(left.dims) != 2 or node.input[1] in constants:
            nodes.append(node)
            continue
        x = node.input[1]
        if x not in turned:
            turned[x] = f"{x}.turned"
            nodes.append(helper.make_node("Transpose", [x], [turned[x]], name=turned[x], perm=[1, 0]))
        left.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(left).T.copy(), left.name))
        product = f"{node.output[0]}.turned"
        nodes.append(helper.make_node("MatMul", [turned[x], left.name], [product], name=node.name))
        nodes.append(
            helper.make_node("Transpose", [product], [node.output[0]], name=f"{node.name}.back", perm=[1, 0])
        )
    copies = [onnx.NodeProto.FromString(node.SerializeToString()) for node in nodes]
    del graph.node[:]
    graph.node.extend(copies)


def _weight_only(model: onnx.ModelProto, options: Quantization) -> onnx.ModelProto:
    from onnxruntime.quantization import matmul_nbits_quantizer as nbits

    bits = 8 if options.method == "int8" else 4
    common = {"block_size": options.block_size, "bits": bits}
    algorithms: dict[str, Any] = {
        "rtn": lambda: nbits.DefaultWeightOnlyQuantConfig(is_symmetric=True, **common),
        "int8": lambda: nbits.DefaultWeightOnlyQuantConfig(is_symmetric=True, **common),
        "hqq": lambda: nbits.HQQWeightOnlyQuantConfig(**common),
        "k_quant_mixed": lambda: nbits.KQuantWeightOnlyQuantConfig(
            customized_weight_config={
                name: {"bits": 8} for name in _nodes_with_more_bits(model.graph, options.block_size)
            }
        ),
    }
    quantizer = nbits.MatMulNBitsQuantizer(
        model,
        bits=bits,
        block_size=options.block_size,
        is_symmetric=options.method != "k_quant_mixed",
        accuracy_level=options.accuracy_level,
        algo_config=algorithms[options.method](),
    )
    quantizer.process()
    made: onnx.ModelProto = quantizer.model.model
    for node in made.graph.node:  # not every one of the quantisers writes it
        if node.op_type == "MatMulNBits":
            kept = [a for a in node.attribute if a.name != "accuracy_level"]
            del node.attribute[:]
            node.attribute.extend([*kept, helper.make_attribute("accuracy_level", options.accuracy_level)])
    return made


def _nodes_with_more_bits(graph: onnx.GraphProto, block_size: int) -> Iterator[str]:
    """Products that keep 8 bits: both ends, and values and second feed-forward matrices of some layers.

    So do those with an odd number of blocks, whose zero points ONNX Runtime's k-quant packs wrongly into 4.
    """
    rows = {tensor.name: tensor.dims[0] for tensor in graph.initializer if tensor.dims}
    found = [(n, n.input[1]) for n in graph.node if n.op_type == "MatMul" and n.input[1] in rows]
    layers = 1 + max((int(m[1]) for _, name in found if (m := _LAYER.match(name))), default=-1)
    for node, name in found:
        layer = _LAYER.match(name)
        sensitive = layer and _SENSITIVE.search(name) and _more_bits(int(layer[1]), layers)
        if sensitive or name.startswith(_ENDS) or -(-rows[name] // block_size) % 2:
            yield node.name


def _more_bits(layer: int, layers: int) -> bool:
    """The first and last eighth, and every third between."""
    eighth = layers // 8
    return layer < eighth or layer >= layers - eighth or (layer - eighth) % 3 == 2


def _bits(model: onnx.ModelProto) -> dict[str, int]:
    counts: Counter[str] = Counter()
    for node in model.graph.node:
        if node.op_type == "MatMulNBits":
            counts[f"{next(a.i for a in node.attribute if a.name == 'bits')} bits"] += 1
        elif node.op_type == "MatMulInteger":
            counts["8 bits"] += 1
    return dict(sorted(counts.items()))


@contextmanager
def _quiet() -> Iterator[None]:
    """The quantisers print progress bars and advice about steps that were done."""
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with redirect_stdout(StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(level)


@contextmanager
def _one_thread() -> Iterator[None]:
    """Of PyTorch, which hqq computes with: its steps are so small that threads mostly wait for each other."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
