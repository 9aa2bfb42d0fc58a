"""A small writer of ONNX graphs: scoped names, shared constants, weights in a storage precision."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any, Literal

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from parakeet_asr.core.model_spec import GraphSpec, TensorSpec

OPSET = 17
IR_VERSION = 8
PRODUCER = "parakeet-asr-tools"

WeightFormat = Literal["float32", "float16", "int8"]
Array = NDArray[np.float32]

_PAGE_BYTES = 4096  # external tensors begin on a page, so that a runtime can map them
_SMALL_ELEMENTS = 4096  # below this a weight stays float32: it costs nothing and loses nothing
_INT8_MAX = 127


class ExternalData:
    """The file beside one or more graphs that holds their large tensors, written front to back.

    Equal tensors are stored once: the two encoders of a cache-aware model share nearly all of them.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._stream: IO[bytes] = path.open("wb")
        self._offsets: dict[bytes, int] = {}  # by content

    def append(self, tensor: TensorProto, array: NDArray[np.generic]) -> None:
        """Write the array, unless it is there already, and make ``tensor`` point at it."""
        content = np.ascontiguousarray(array).data.cast("B")
        digest = hashlib.sha256(content).digest()
        if digest not in self._offsets:
            self._offsets[digest] = -(-self._stream.tell() // _PAGE_BYTES) * _PAGE_BYTES
            self._stream.write(b"\0" * (self._offsets[digest] - self._stream.tell()))
            self._stream.write(content)
        tensor.data_location = TensorProto.EXTERNAL
        offset = self._offsets[digest]
        for key, value in (
            ("location", self.path.name),
            ("offset", str(offset)),
            ("length", str(array.nbytes)),
        ):
            tensor.external_data.add(key=key, value=value)

    def flush(self) -> None:
        """What was appended is in the file."""
        self._stream.flush()

    def close(self) -> None:
        """End the file."""
        self._stream.close()


class GraphBuilder:
    """Collects the nodes of one graph in order.

    Values are passed around by name. ``int8`` and ``float16`` weights are stored so and brought back
    to float32 by constant nodes behind them, which every runtime folds away when it loads the graph.
    """

    def __init__(self, name: str, weights: WeightFormat, external: ExternalData | None = None) -> None:
        self.name = name
        self._weights: WeightFormat = weights
        self._external = external
        self._scope: tuple[str, ...] = ()
        self._counts: dict[str, int] = {}
        self._nodes: list[onnx.NodeProto] = []
        self._initializers: list[TensorProto] = []
        self._constants: dict[tuple[str, tuple[int, ...], bytes], str] = {}
        self._inputs: dict[str, TensorSpec] = {}
        self._outputs: dict[str, TensorSpec] = {}

    @contextlib.contextmanager
    def scope(self, *names: str) -> Iterator[None]:
        """Put the names of everything made inside below ``names``."""
        outer, self._scope = self._scope, (*self._scope, *names)
        try:
            yield
        finally:
            self._scope = outer

    def input(self, name: str, dtype: str, shape: Sequence[int | str]) -> str:
        """Declare an input of the graph."""
        self._inputs[name] = TensorSpec(dtype, tuple(shape))
        return name

    def output(self, name: str, value: str, dtype: str, shape: Sequence[int | str]) -> None:
        """Give ``value`` out of the graph as ``name``."""
        self._outputs[name] = TensorSpec(dtype, tuple(shape))
        self._nodes.append(helper.make_node("Identity", [value], [name], name=self._unique(f"output/{name}")))

    def op(self, kind: str, *inputs: str, **attributes: Any) -> str:
        """Add a node with one output and return its name."""
        return self.split_op(kind, *inputs, count=1, **attributes)[0]

    def split_op(self, kind: str, *inputs: str, count: int, **attributes: Any) -> list[str]:
        """Add a node with ``count`` outputs and return their names."""
        name = self._unique(kind)
        outputs = [name] if count == 1 else [f"{name}.{i}" for i in range(count)]
        self._nodes.append(helper.make_node(kind, list(inputs), outputs, name=name, **attributes))
        return outputs

    def constant(self, values: object, dtype: type[np.generic] = np.int64) -> str:
        """A small constant; equal ones are stored once."""
        array = np.array(values, dtype, order="C")
        key = (array.dtype.str, array.shape, array.tobytes())
        if key not in self._constants:
            name = f"constant_{len(self._constants)}"
            self._initializers.append(numpy_helper.from_array(array, name))
            self._constants[key] = name
        return self._constants[key]

    def floats(self, values: object) -> str:
        """A small float32 constant."""
        return self.constant(values, np.float32)

    def weight(self, name: str, array: Array, scale: Array | None = None, *, exact: bool = False) -> str:
        """A trained weight, stored in the builder's weight format.

        Args:
            name: below the current scope.
            array: float32; its LAST axis is the output channel for int8.
            scale: multiplied on when the graph is loaded, which keeps stored values exact; in float32
                it is multiplied here.
            exact: store float32 whatever the format, as is done with vectors anyway: small, or not a float16
                number even where the trained weight was one.
        """
        name = self._unique(name)
        if exact or self._weights == "float32" or array.ndim == 1 or array.size < _SMALL_ELEMENTS:
            self._store(name, array if scale is None else array * scale)
            return name
        if self._weights == "int8":
            step = np.abs(array).max(axis=tuple(range(array.ndim - 1)), keepdims=True) / _INT8_MAX
            step = np.where(step == 0, 1, step).astype(np.float32)
            self._store(name, np.rint(array / step).astype(np.int8))
            scale = step if scale is None else step * scale
        else:
            with np.errstate(over="ignore"):
                halves = array.astype(np.float16)
            if not np.isfinite(halves).all():
                raise OverflowError(f"{name}: values beyond float16; export with float32 weights")
            self._store(name, halves)
        value = self._constant_node("Cast", f"{name}.float32", name, to=TensorProto.FLOAT)
        if scale is None:
            return value
        self._store(f"{name}.scale", np.asarray(scale, np.float32))
        return self._constant_node("Mul", f"{name}.scaled", value, f"{name}.scale")

    def _constant_node(self, kind: str, output: str, *inputs: str, **attributes: Any) -> str:
        self._nodes.append(helper.make_node(kind, list(inputs), [output], name=output, **attributes))
        return output

    def _store(self, name: str, array: NDArray[np.generic]) -> None:
        tensor = TensorProto(
            name=name, dims=array.shape, data_type=helper.np_dtype_to_tensor_dtype(array.dtype)
        )
        if self._external is not None and array.size >= _SMALL_ELEMENTS:
            self._external.append(tensor, array)
        else:
            tensor.raw_data = np.ascontiguousarray(array).tobytes()
        self._initializers.append(tensor)

    def _unique(self, name: str) -> str:
        full = "/".join((*self._scope, name))
        count = self._counts.get(full, 0)
        self._counts[full] = count + 1
        return full if count == 0 else f"{full}_{count}"

    def save(self, path: Path) -> GraphSpec:
        """Check and write the graph; returns its contract.

        Raises:
            onnx.checker.ValidationError: the graph is not valid ONNX (an error of the exporter).
        """
        graph = helper.make_graph(
            self._nodes,
            self.name,
            [_value_info(name, spec) for name, spec in self._inputs.items()],
            [_value_info(name, spec) for name, spec in self._outputs.items()],
            self._initializers,
        )
        model = helper.make_model(
            graph,
            producer_name=PRODUCER,
            ir_version=IR_VERSION,
            opset_imports=[helper.make_opsetid("", OPSET)],
        )
        path.write_bytes(model.SerializeToString(deterministic=True))
        if self._external is not None:
            self._external.flush()
        onnx.checker.check_model(str(path))
        return GraphSpec(file=path.name, inputs=dict(self._inputs), outputs=dict(self._outputs))


def _value_info(name: str, spec: TensorSpec) -> onnx.ValueInfoProto:
    kind = helper.np_dtype_to_tensor_dtype(np.dtype(spec.dtype))
    return helper.make_tensor_value_info(name, kind, list(spec.shape))
