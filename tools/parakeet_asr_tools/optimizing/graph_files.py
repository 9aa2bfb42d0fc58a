"""Read a graph with plain float32 weights whatever they are stored as, and write one again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, numpy_helper

from parakeet_asr.errors import ModelContractError
from parakeet_asr_tools.onnx_export.builder import ExternalData
from parakeet_asr_tools.onnx_export.model_directory import EXTERNAL_ABOVE_BYTES
from parakeet_asr_tools.precision.constants import Constants

_LARGE_ELEMENTS = 4096  # from here on a tensor goes into the external file, where there is one


def read_folded(path: Path) -> onnx.ModelProto:
    """The graph in memory: external and stored-small weights become float32 initializers.

    Raises:
        ModelContractError: it is no ONNX graph.
    """
    try:
        model = onnx.load(str(path), load_external_data=False)
    except Exception as error:  # protobuf's errors share no base class below Exception
        raise ModelContractError(f"{path}: expected an ONNX graph, got {error}; export it again") from error
    constants = Constants(model, path.parent)
    nodes = [node for node in model.graph.node if not constants.is_made(node.output[0])]
    used = dict.fromkeys(name for node in nodes for name in node.input if name in constants)
    del model.graph.node[:]
    del model.graph.initializer[:]
    model.graph.node.extend(nodes)
    for name in used:  # one at a time: appending copies, and a list of all would be the weights once more
        model.graph.initializer.append(_tensor(constants, name))
    return model


def weights_bytes(model: onnx.ModelProto) -> int:
    """What its weights take; protobuf cannot tell the size of a message beyond 2 GiB as a whole."""
    return sum(tensor.ByteSize() for tensor in model.graph.initializer)


def write_graph(model: onnx.ModelProto, path: Path) -> None:
    """Write and check; weights beyond 1 GiB leave the model for ``<name>.data`` beside the graph.

    Raises:
        onnx.checker.ValidationError: the graph is not valid ONNX (an error of the optimizer).
    """
    if weights_bytes(model) > EXTERNAL_ABOVE_BYTES:
        external = ExternalData(path.with_name(f"{path.name}.data"))
        for tensor in model.graph.initializer:
            if int(np.prod(tensor.dims, dtype=np.int64)) >= _LARGE_ELEMENTS:
                array = numpy_helper.to_array(tensor)
                for stored in ("raw_data", "float_data", "int32_data", "int64_data"):
                    tensor.ClearField(stored)
                external.append(tensor, array)
        external.close()
    path.write_bytes(model.SerializeToString(deterministic=True))
    onnx.checker.check_model(str(path))


def _tensor(constants: Constants, name: str) -> TensorProto:
    if not constants.is_made(name) and constants.tensor(name).data_location != TensorProto.EXTERNAL:
        return constants.tensor(name)
    return numpy_helper.from_array(constants.array(name), name)
