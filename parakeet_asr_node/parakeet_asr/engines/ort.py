"""ONNX Runtime: the CPU default, and CUDA where its provider is installed."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
import onnxruntime

from parakeet_asr.core.batch_sizes import BUCKET_FRAMES, recurring
from parakeet_asr.core.engine import EncoderOutput, PredictorState, StepOutput
from parakeet_asr.core.model_spec import STREAMING_GRAPH, ModelSpec
from parakeet_asr.core.split_graphs import is_split
from parakeet_asr.core.stream_contract import require_cache_aware
from parakeet_asr.engines.ort_decoder import FusedDecoder, SplitDecoder
from parakeet_asr.engines.ort_graph import CLOSED, PROVIDERS, Feeds, load_graph, run_graph
from parakeet_asr.engines.ort_stream import OrtEncoderStream
from parakeet_asr.errors import EngineError
from parakeet_asr.records import FloatArray, IntArray

Device = Literal["cpu", "cuda"]


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
        if PROVIDERS[device] not in onnxruntime.get_available_providers():
            raise EngineError(
                f"device {device!r} needs ONNX Runtime's {PROVIDERS[device]}, this build has "
                f"{onnxruntime.get_available_providers()}; install onnxruntime-gpu or use device 'cpu'"
            )
        if device == "cuda":
            _preload_cuda()
        self.spec = spec
        self.description = f"onnxruntime {onnxruntime.__version__} {device}"
        self._encoder = load_graph(directory, spec.graphs["encoder"], threads, device)
        # One token is far too little work to share: waking a thread costs more than it brings.
        self._decoder: FusedDecoder | SplitDecoder | None = (
            SplitDecoder(directory, spec, device) if is_split(spec) else FusedDecoder(directory, spec, device)
        )
        self._streaming: onnxruntime.InferenceSession | None = None
        if spec.encoder.streaming.kind == "cache_aware":
            self._streaming = load_graph(directory, spec.graphs[STREAMING_GRAPH], threads, device)
        self._device = device

    def encode(self, features: FloatArray, lengths: IntArray) -> EncoderOutput:
        """See :class:`parakeet_asr.core.engine.Engine`.

        A CPU gains nothing from a batch and would compute its padding, too: there every utterance
        goes through the encoder by itself. CUDA is given sizes that it has seen before.
        """
        if self._device == "cuda":
            found = self._encode(*_with_sizes_that_recur(features, lengths))
            return EncoderOutput(found.projected[: len(lengths)], found.lengths[: len(lengths)])
        if len(lengths) > 1:
            return _stack(
                [self._encode(features[i : i + 1, :, :n], lengths[i : i + 1]) for i, n in enumerate(lengths)]
            )
        return self._encode(features, lengths)

    def _encode(self, features: FloatArray, lengths: IntArray) -> EncoderOutput:
        feeds: Feeds = {"audio_signal": np.ascontiguousarray(features), "length": lengths}
        if is_split(self.spec):
            outputs, steps = run_graph(self._encoder, ["outputs", "encoded_lengths"], feeds)
            return EncoderOutput(np.ascontiguousarray(outputs.transpose(0, 2, 1)), steps)
        projected, steps = run_graph(self._encoder, ["encoded_projected", "encoded_lengths"], feeds)
        return EncoderOutput(projected, steps)

    def open_stream(self) -> OrtEncoderStream:
        """See :class:`parakeet_asr.core.engine.Engine`."""
        require_cache_aware(self.spec)
        if self._streaming is None:
            raise EngineError(CLOSED)
        return OrtEncoderStream(self._streaming, self.spec, self._device)

    def step(self, projected: FloatArray, tokens: IntArray, state: PredictorState) -> StepOutput:
        """See :class:`parakeet_asr.core.engine.Engine`."""
        if self._decoder is None:
            raise EngineError(CLOSED)
        return self._decoder.step(projected, tokens, state)

    def close(self) -> None:
        """Free the sessions; a stream that is open keeps its own until it is dropped."""
        self._encoder = self._decoder = self._streaming = None


def _preload_cuda() -> None:
    """Load CUDA and cuDNN that came with Python packages, which the dynamic linker does not find."""
    preload = getattr(onnxruntime, "preload_dlls", None)  # since 1.21
    if preload is not None:
        preload()


def _with_sizes_that_recur(features: FloatArray, lengths: IntArray) -> tuple[FloatArray, IntArray]:
    """Padded to 1.28 s and a power of two, as engine torch does: cuDNN plans anew for every size it meets."""
    rows, frames = recurring(len(lengths), features.shape[2], BUCKET_FRAMES)
    padded = np.zeros((rows, features.shape[1], frames), np.float32)
    padded[: len(lengths), :, : features.shape[2]] = features
    return padded, np.pad(lengths, (0, rows - len(lengths)))


def _stack(rows: list[EncoderOutput]) -> EncoderOutput:
    """One batch of single encodings, with zeros behind each."""
    lengths = np.concatenate([row.lengths for row in rows])
    projected = np.zeros((len(rows), int(lengths.max()), rows[0].projected.shape[2]), np.float32)
    for i, row in enumerate(rows):
        projected[i, : lengths[i]] = row.projected[0, : lengths[i]]
    return EncoderOutput(projected, lengths)
