"""The constants of a graph, read one at a time: a model of 2.4 GB passes through little memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

AnyArray = NDArray[Any]


class Constants:
    """Initializers, and the nodes that bring a stored weight back to float32 (``GraphBuilder.weight``)."""

    def __init__(self, model: onnx.ModelProto, folder: Path) -> None:
        """Of a model that was loaded without its external data, which lies in ``folder``."""
        self._folder = folder
        self._stored = {tensor.name: tensor for tensor in model.graph.initializer}
        self._made: dict[str, onnx.NodeProto] = {}
        for node in model.graph.node:
            if node.op_type in ("Cast", "Mul") and all(name in self for name in node.input):
                self._made[node.output[0]] = node

    def __contains__(self, name: object) -> bool:
        return name in self._stored or name in self._made

    def is_made(self, name: str) -> bool:
        """Whether a node makes it, which is not needed any more."""
        return name in self._made

    def is_float(self, name: str) -> bool:
        """Whether it is float32 where it is used."""
        return name in self._made or self._stored[name].data_type == TensorProto.FLOAT

    def tensor(self, name: str) -> TensorProto:
        """As it is stored."""
        stored: TensorProto = self._stored[name]
        return stored

    def array(self, name: str) -> AnyArray:
        """Its values as the graph uses them."""
        if name in self._stored:
            return self._read(self._stored[name])
        node = self._made[name]
        if node.op_type == "Cast":
            return self.array(node.input[0]).astype(helper.tensor_dtype_to_np_dtype(node.attribute[0].i))
        product: AnyArray = self.array(node.input[0]) * self.array(node.input[1])
        return product

    def _read(self, tensor: TensorProto) -> AnyArray:
        if tensor.data_location != TensorProto.EXTERNAL:
            array: AnyArray = numpy_helper.to_array(tensor)
            return array
        entries = {entry.key: entry.value for entry in tensor.external_data}
        dtype = helper.tensor_dtype_to_np_dtype(tensor.data_type)
        count = int(np.prod(tensor.dims, dtype=np.int64))
        with (self._folder / entries["location"]).open("rb") as stream:
            stream.seek(int(entries.get("offset", "0")))
            values = np.fromfile(stream, dtype, count)
        return values.reshape(tuple(tensor.dims))
