"""ONNX graphs on a CUDA device, timed with CUDA events: nothing passes through the host."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch
from torch import Tensor

_WARM_UP, _TIMED = 5, 30
_NUMPY = {torch.float32: np.float32, torch.int64: np.int64}


@dataclass(frozen=True, slots=True)
class Timing:
    """Of one graph at one size."""

    median_ms: float
    best_ms: float


class CudaGraphSession:
    """One ONNX graph; runs on the stream on which the events are recorded."""

    def __init__(self, path: Path, stream: torch.cuda.Stream) -> None:
        """Load ``path``.

        Raises:
            Exception: ONNX Runtime's own, which shares no base class below it.
        """
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        settings = {
            "user_compute_stream": str(stream.cuda_stream),
            "cudnn_conv_algo_search": "HEURISTIC",  # as engine ort
        }
        provider = ("CUDAExecutionProvider", settings)
        self._stream = stream
        self._session = onnxruntime.InferenceSession(str(path), options, providers=[provider])
        if "CUDAExecutionProvider" not in self._session.get_providers():
            raise RuntimeError(f"{path}: ONNX Runtime did not take its CUDA provider; see its log")

    def run(self, feeds: dict[str, Tensor], outputs: list[str]) -> list[Any]:
        """Outputs as [..] numpy arrays; ``feeds`` lie on the device."""
        binding = self._bound(feeds, outputs)
        self._session.run_with_iobinding(binding)
        torch.cuda.synchronize()
        return list(binding.copy_outputs_to_cpu())

    def time(self, feeds: dict[str, Tensor], outputs: list[str]) -> Timing:
        """How long the device takes, from first to last kernel of a run."""
        event: Any = torch.cuda.Event  # torch types it not
        binding = self._bound(feeds, outputs)
        times_ms = []
        for number in range(_WARM_UP + _TIMED):
            begin, end = event(enable_timing=True), event(enable_timing=True)
            begin.record(self._stream)
            self._session.run_with_iobinding(binding)
            end.record(self._stream)
            end.synchronize()
            if number >= _WARM_UP:
                times_ms.append(float(begin.elapsed_time(end)))
        return Timing(statistics.median(times_ms), min(times_ms))

    def _bound(self, feeds: dict[str, Tensor], outputs: list[str]) -> Any:
        binding = self._session.io_binding()
        for name, value in feeds.items():
            binding.bind_input(name, "cuda", 0, _NUMPY[value.dtype], list(value.shape), value.data_ptr())
        for name in outputs:
            binding.bind_output(name, "cuda")
        return binding


def memory_used_bytes() -> int:
    """What is taken of the device's memory, by everybody."""
    free, total = torch.cuda.mem_get_info()
    return int(total - free)
