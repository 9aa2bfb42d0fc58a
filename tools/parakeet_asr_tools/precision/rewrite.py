"""Write a float32 graph again with low precision where the rule says so, and casts between."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import ml_dtypes
import numpy as np
import onnx
from onnx import TensorProto, helper

from parakeet_asr.errors import ModelContractError
from parakeet_asr_tools.onnx_export.builder import ExternalData
from parakeet_asr_tools.precision.constants import AnyArray, Constants
from parakeet_asr_tools.precision.rule import Rule

_FLOAT16_MAX = float(np.finfo(np.float16).max)
_LARGE_ELEMENTS = 4096  # from here on a constant lies in the external file, where there is one


def rewrite(path: Path, rule: Rule, out: Path, external: ExternalData | None) -> dict[str, int]:
    """Convert the graph at ``path`` and write it to ``out``.

    Inputs and outputs keep their types and names; integers, lengths and masks are not touched.

    Args:
        path: a graph of ``onnx_export``; its external data lies beside it.
        rule: what is low.
        out: the new graph.
        external: where large weights go; None keeps them inside.

    Returns:
        How many nodes of floats compute in low precision, how many in float32, and how many casts were added.

    Raises:
        ModelContractError: it is no ONNX graph, or one without types.
    """
    try:
        model = onnx.load(str(path), load_external_data=False)
        typed = onnx.shape_inference.infer_shapes(model)
    except Exception as error:  # protobuf's and onnx's errors share no base class below Exception
        raise ModelContractError(f"{path}: expected an ONNX graph, got {error}; export it again") from error
    rewriting = _Rewriting(model, typed, Constants(model, path.parent), rule, external)
    rewriting.run()
    out.write_bytes(rewriting.model().SerializeToString(deterministic=True))
    if external is not None:
        external.flush()
    onnx.checker.check_model(str(out))
    return rewriting.counts


class _Rewriting:
    """One graph on its way. A value may exist in two types: as ``name``, and as ``name.<type>``."""

    def __init__(
        self,
        model: onnx.ModelProto,
        typed: onnx.ModelProto,
        constants: Constants,
        rule: Rule,
        external: ExternalData | None,
    ) -> None:
        self.counts = {"low": 0, "float32": 0, "casts": 0}
        self._model, self._constants, self._rule, self._external = model, constants, rule, external
        self._is_float: dict[str, bool] = {}
        self._ranks: dict[str, int] = {}
        graph = typed.graph
        for info in (*graph.value_info, *graph.input, *graph.output):
            tensor = info.type.tensor_type
            self._is_float[info.name] = tensor.elem_type == TensorProto.FLOAT
            self._ranks[info.name] = len(tensor.shape.dim)
        self._low: set[str] = set()  # values that their node makes in low precision
        self._nodes: list[onnx.NodeProto] = []
        self._initializers: dict[str, TensorProto] = {}
        self._cast: set[str] = set()

    def run(self) -> None:
        """All nodes, in their order."""
        outputs = {info.name for info in self._model.graph.output}
        for node in self._model.graph.node:
            if self._constants.is_made(node.output[0]):
                continue
            floats = [i for i, name in enumerate(node.input) if name and self._float(name)]
            makes_floats = self._float(node.output[0])
            low = makes_floats and node.output[0] not in outputs and self._computes_low(node, floats)
            if makes_floats:
                self.counts["low" if low else "float32"] += 1
            self._emit(node, floats, low)

    def model(self) -> onnx.ModelProto:
        """The result."""
        graph = helper.make_graph(
            self._nodes,
            self._model.graph.name,
            self._model.graph.input,
            self._model.graph.output,
            list(self._initializers.values()),
        )
        return helper.make_model(
            graph,
            producer_name=self._model.producer_name,
            ir_version=self._model.ir_version,
            opset_imports=self._model.opset_import,
        )

    def _float(self, name: str) -> bool:
        if name in self._constants:
            return self._constants.is_float(name)
        if name not in self._is_float:
            raise ModelContractError(f"no type is known for {name!r}; export the model again")
        return self._is_float[name]

    def _computes_low(self, node: onnx.NodeProto, floats: list[int]) -> bool:
        if not floats:
            return False
        names = [node.input[i] for i in floats]
        constant = [name for name in names if name in self._constants]
        if self._rule.moves_only(node):
            if names[0] in constant:
                return self._rule.stores_low(names[0]) and self._fits(constant)
            return names[0] in self._low
        low = self._rule.is_low(node, rank=self._ranks[node.output[0]], trained=bool(constant))
        return low and self._fits(constant)

    def _fits(self, constants: Iterable[str]) -> bool:
        """Whether they are numbers in low precision; one that is not keeps its node in float32."""
        return self._rule.low == "bf16" or all(
            np.abs(self._constants.array(name)).max(initial=0.0) <= _FLOAT16_MAX for name in constants
        )

    def _emit(self, node: onnx.NodeProto, floats: list[int], low: bool) -> None:
        copy = onnx.NodeProto()
        copy.CopyFrom(node)
        for i, name in enumerate(node.input):
            if i in floats:
                copy.input[i] = self._as(name, low)
            elif name in self._constants and name not in self._initializers:
                self._initializers[name] = self._constants.tensor(name)
        self._nodes.append(copy)
        if low:
            self._low.update(node.output)

    def _as(self, name: str, low: bool) -> str:
        """The value in this type, with a cast or another copy of the constant where there is none yet."""
        if name in self._constants:
            return self._constant(name, low)
        if low == (name in self._low):
            return name
        other = f"{name}.{self._rule.low if low else 'fp32'}"
        if other not in self._cast:
            kind = self._rule.low_type if low else TensorProto.FLOAT
            self._nodes.append(helper.make_node("Cast", [name], [other], name=other, to=kind))
            self._cast.add(other)
            self.counts["casts"] += 1
        return other

    def _constant(self, name: str, low: bool) -> str:
        new = f"{name}.{self._rule.low}" if low else name
        if new not in self._initializers:
            array = self._constants.array(name)
            self._initializers[new] = self._stored(new, _lowered(array, self._rule) if low else array)
        return new

    def _stored(self, name: str, array: AnyArray) -> TensorProto:
        kind = self._rule.low_type if array.dtype == ml_dtypes.bfloat16 else None
        tensor = TensorProto(
            name=name, dims=array.shape, data_type=kind or helper.np_dtype_to_tensor_dtype(array.dtype)
        )
        if self._external is not None and array.size >= _LARGE_ELEMENTS:
            if array.dtype == ml_dtypes.bfloat16:
                array = array.view(np.uint16)  # the bytes are what counts
            self._external.append(tensor, array)
        else:
            tensor.raw_data = np.ascontiguousarray(array).tobytes()
        return tensor


def _lowered(array: AnyArray, rule: Rule) -> AnyArray:
    return array.astype(np.float16 if rule.low == "fp16" else ml_dtypes.bfloat16)
