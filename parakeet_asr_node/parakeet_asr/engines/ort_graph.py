"""ONNX Runtime: one graph, held against the contract when it is loaded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from parakeet_asr.core.model_spec import GraphSpec, TensorSpec
from parakeet_asr.errors import EngineError, ModelContractError

Feeds = dict[str, "np.ndarray[Any, Any]"]

CLOSED = "this engine was closed; load the model again"
PROVIDERS: dict[str, str] = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}
# CUDA's default tries every algorithm for every new length of audio: over a minute before it is warm.
_OPTIONS: dict[str, dict[str, str]] = {"cpu": {}, "cuda": {"cudnn_conv_algo_search": "HEURISTIC"}}
_NUMPY_NAMES = {
    "tensor(float)": "float32",
    "tensor(float16)": "float16",
    "tensor(int64)": "int64",
    "tensor(int32)": "int32",
    "tensor(bool)": "bool",
}


def load_graph(directory: Path, graph: GraphSpec, threads: int, device: str) -> onnxruntime.InferenceSession:
    """Load a graph of a model directory and check its tensors.

    Raises:
        EngineError: ONNX Runtime cannot load it.
        ModelContractError: its tensors are not those of ``model.json``.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    # A robot's cores have other work than to wait actively for the next call: a third of the computing.
    options.add_session_config_entry("session.force_spinning_stop", "1")
    options.log_severity_level = 3  # errors only: they also arrive as exceptions
    path = directory / graph.file
    try:
        session = onnxruntime.InferenceSession(
            str(path), options, providers=[(PROVIDERS[device], _OPTIONS[device])]
        )
    except Exception as error:  # ONNX Runtime's exceptions share no base class below Exception
        raise EngineError(f"{path}: ONNX Runtime cannot load this graph: {error}") from error
    _check(path, "input", graph.inputs, session.get_inputs())
    _check(path, "output", graph.outputs, session.get_outputs())
    return session


def _check(path: Path, role: str, expected: dict[str, TensorSpec], nodes: list[Any]) -> None:
    found = {
        node.name: TensorSpec(
            _NUMPY_NAMES.get(node.type, node.type), tuple(_dimension(d) for d in node.shape)
        )
        for node in nodes
    }
    if set(found) != set(expected):
        raise ModelContractError(
            f"{path}: its {role}s are {sorted(found)}, model.json says {sorted(expected)}; "
            "export the model again"
        )
    for name, spec in expected.items():
        if not spec.accepts(found[name].dtype, found[name].shape):
            raise ModelContractError(
                f"{path}: {role} {name!r} is {found[name].dtype}{list(found[name].shape)}, "
                f"model.json says {spec.dtype}{list(spec.shape)}; export the model again"
            )


def _dimension(value: object) -> int | str:
    return value if isinstance(value, int) else str(value)


def run_graph(session: Any, outputs: list[str], feeds: Feeds) -> list[Any]:
    """Run a session; None stands for one that was given back.

    Raises:
        EngineError: it was closed, or the graph failed.
    """
    if session is None:
        raise EngineError(CLOSED)
    try:
        return list(session.run(outputs, feeds))
    except Exception as error:  # ONNX Runtime's exceptions share no base class below Exception
        shapes = {name: f"{value.dtype}{list(value.shape)}" for name, value in feeds.items()}
        raise EngineError(f"ONNX Runtime failed on {shapes}: {error}") from error
