"""Which node of our graphs computes in low precision, and which stays an island of float32."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import onnx
from onnx import TensorProto

LowPrecision = Literal["fp16", "bf16"]
LOW_TYPES: dict[LowPrecision, int] = {"fp16": TensorProto.FLOAT16, "bf16": TensorProto.BFLOAT16}

_MOVING = {
    "Concat", "Expand", "Gather", "Identity", "Reshape",
    "Slice", "Split", "Squeeze", "Transpose", "Unsqueeze",
}  # fmt: skip
_PRODUCTS = {"Conv", "MatMul"}
_ELEMENTWISE = {"Add", "Mul", "Relu", "Sigmoid", "Sub", "Tanh"}
_RESIDUAL_RANK = 3  # [batch, steps, d_model]


@dataclass(frozen=True, slots=True)
class Rule:
    """The islands of float32. Everything else that is not listed here is one, too.

    The figures behind the defaults are in docs/decisions/0010-engines.md.
    """

    low: LowPrecision = "fp16"
    subsampling: bool = True  # activations of thousands, and the -60000 that drowns padding
    residual: bool = True  # the sum that runs through all layers and grows on its way
    norm: bool = True  # LayerNormalization: squares and sums
    softmax: bool = True  # exponents and sums
    recurrent: bool = True  # gates and cells of the predictor: its error would be carried on

    @property
    def low_type(self) -> int:
        """As in ``onnx.TensorProto``."""
        return LOW_TYPES[self.low]

    def stores_low(self, name: str) -> bool:
        """Whether a table that rows are taken from is kept in low precision: not one of sums of gates."""
        return not (self.recurrent and name.endswith("/table"))

    def moves_only(self, node: onnx.NodeProto) -> bool:
        """Whether the node computes nothing, so that it takes the precision that its input has."""
        return node.op_type in _MOVING

    def is_low(self, node: onnx.NodeProto, *, rank: int, trained: bool) -> bool:
        """Whether a node that computes does it in low precision.

        Args:
            node: of a graph written by ``onnx_export``: names begin with the scope.
            rank: of its output.
            trained: one of its inputs is a weight.
        """
        scope = node.name.split("/", 1)[0]
        if scope == "shared" or (scope == "pre_encode" and self.subsampling):
            return False  # shared: positions (sines of large angles) and masks, made once
        if node.op_type in _PRODUCTS:
            return True
        if node.op_type == "LayerNormalization":
            return not self.norm
        if node.op_type == "Softmax":
            return not self.softmax
        if node.op_type not in _ELEMENTWISE:
            return False
        if scope == "predictor":
            return not self.recurrent
        is_residual = node.op_type == "Add" and rank == _RESIDUAL_RANK and not trained
        return not (is_residual and scope.startswith("layers.") and self.residual)
