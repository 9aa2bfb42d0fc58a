"""ONNX Runtime: the CPU default, and CUDA where its provider is installed."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnxruntime

from parakeet_asr.core.engine import EncoderOutput, PredictorState, StepOutput
from parakeet_asr.core.model_spec import STREAMING_GRAPH, GraphSpec, ModelSpec, TensorSpec
from parakeet_asr.core.stream_contract import require_cache_aware
from parakeet_asr.engines.ort_stream import OrtEncoderStream
from parakeet_asr.errors import EngineError, ModelContractError
from parakeet_asr.records import FloatArray, IntArray

_Feeds = dict[str, "np.ndarray[Any, Any]"]
Device = Literal["cpu", "cuda"]

_NUMPY_NAMES = {
    "tensor(float)": "float32",
    "tensor(float16)": "float16",
    "tensor(int64)": "int64",
    "tensor(int32)": "int32",
    "tensor(bool)": "bool",
}
_CLOSED = "this engine was closed; load the model again"
_PROVIDERS: dict[str, str] = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}


class OrtEngine:
    """Runs a model directory's ONNX graphs."""

    def __init__(self, directory: Path, spec: ModelSpec, *, threads: int = 0, device: Device = "cpu") -> None:
        """Load the graphs and check them against the contract.

        Args:
            directory: the model directory.
            spec: its ``model.json``.
            threads: for one operator; 0 lets ONNX Runtime take every core.
            device: where to run.

        Raises:
            EngineError: the device is not available, or a graph cannot be loaded.
            ModelContractError: a graph's tensors are not those of ``model.json``.
        """
        if _PROVIDERS[device] not in onnxruntime.get_available_providers():
            raise EngineError(
                f"device {device!r} needs ONNX Runtime's {_PROVIDERS[device]}, this build has "
                f"{onnxruntime.get_available_providers()}; install onnxruntime-gpu or use device 'cpu'"
            )
        if device == "cuda":
            _preload_cuda()
        self.spec = spec
        self.description = f"onnxruntime {onnxruntime.__version__} {device}"
        self._encoder = _load(directory, spec.graphs["encoder"], threads, device)
        # One token is far too little work to share: waking a thread costs more than it brings.
        self._decoder = _load(directory, spec.graphs["decoder_step"], 1, device)
        self._streaming: onnxruntime.InferenceSession | None = None
        if spec.encoder.streaming.kind == "cache_aware":
            self._streaming = _load(directory, spec.graphs[STREAMING_GRAPH], threads, device)
        self._device = device

    def encode(self, features: FloatArray, lengths: IntArray) -> EncoderOutput:
        """See :class:`parakeet_asr.core.engine.Engine`.

        A CPU gains nothing from a batch and would compute its padding, too: there every utterance
        goes through the encoder by itself.
        """
        if len(lengths) > 1 and self._device == "cpu":
            return _stack(
                [self._encode(features[i : i + 1, :, :n], lengths[i : i + 1]) for i, n in enumerate(lengths)]
            )
        return self._encode(features, lengths)

    def _encode(self, features: FloatArray, lengths: IntArray) -> EncoderOutput:
        feeds: _Feeds = {"audio_signal": np.ascontiguousarray(features), "length": lengths}
        projected, steps = _run(self._encoder, ["encoded_projected", "encoded_lengths"], feeds)
        return EncoderOutput(projected, steps)

    def open_stream(self) -> OrtEncoderStream:
        """See :class:`parakeet_asr.core.engine.Engine`."""
        require_cache_aware(self.spec)
        if self._streaming is None:
            raise EngineError(_CLOSED)
        return OrtEncoderStream(self._streaming, self.spec, self._device)

    def step(self, projected: FloatArray, tokens: IntArray, state: PredictorState) -> StepOutput:
        """See :class:`parakeet_asr.core.engine.Engine`."""
        feeds: _Feeds = {
            "encoded_projected": projected,
            "token": tokens,
            "hidden_in": state.hidden,
            "cell_in": state.cell,
        }
        logits, hidden, cell = _run(self._decoder, ["logits", "hidden_out", "cell_out"], feeds)
        return StepOutput(logits, PredictorState(hidden, cell))

    def close(self) -> None:
        """Free the sessions; a stream that is open keeps its own until it is dropped."""
        self._encoder = self._decoder = self._streaming = None


def _preload_cuda() -> None:
    """Load CUDA and cuDNN that came with Python packages, which the dynamic linker does not find."""
    preload = getattr(onnxruntime, "preload_dlls", None)  # since 1.21
    if preload is not None:
        preload()


def _stack(rows: list[EncoderOutput]) -> EncoderOutput:
    """One batch of single encodings, with zeros behind each."""
    lengths = np.concatenate([row.lengths for row in rows])
    projected = np.zeros((len(rows), int(lengths.max()), rows[0].projected.shape[2]), np.float32)
    for i, row in enumerate(rows):
        projected[i, : lengths[i]] = row.projected[0, : lengths[i]]
    return EncoderOutput(projected, lengths)


def _load(directory: Path, graph: GraphSpec, threads: int, device: str) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3  # errors only: they also arrive as exceptions
    path = directory / graph.file
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=[_PROVIDERS[device]])
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


def _run(session: Any, outputs: list[str], feeds: _Feeds) -> list[Any]:
    if session is None:
        raise EngineError(_CLOSED)
    try:
        return list(session.run(outputs, feeds))
    except Exception as error:  # ONNX Runtime's exceptions share no base class below Exception
        shapes = {name: f"{value.dtype}{list(value.shape)}" for name, value in feeds.items()}
        raise EngineError(f"ONNX Runtime failed on {shapes}: {error}") from error
