"""Memory, one stream and graphs with cuda-python, 12 and 13 alike."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from parakeet_asr.engines.trt.seam import HostBuffer
from parakeet_asr.errors import EngineError

try:  # 13 has this name only; 12.9 has both
    from cuda.bindings import runtime as cudart
except ImportError:
    try:
        from cuda import cudart  # JetPack 6 may carry an older one
    except ImportError as error:
        raise EngineError(
            "engine 'trt' needs cuda-python, which is not installed: pip install 'cuda-python>=12.2,<14' "
            "(the major version of the CUDA that is installed)"
        ) from error


@dataclass(frozen=True, slots=True)
class Gpu:
    """What a plan depends on."""

    name: str
    compute_capability: str


def find_gpu() -> Gpu:
    """The first GPU.

    Raises:
        EngineError: there is none, or its driver does not answer.
    """
    count = call(cudart.cudaGetDeviceCount)
    if not count:
        raise EngineError("expected a CUDA device, found none")
    properties = call(cudart.cudaGetDeviceProperties, 0)
    name = properties.name.decode() if isinstance(properties.name, bytes) else str(properties.name)
    return Gpu(name.rstrip("\0"), f"{properties.major}.{properties.minor}")


def call(function: Callable[..., Any], *arguments: Any) -> Any:
    """Call CUDA; the results behind its status, alone where there is one.

    Raises:
        EngineError: the status is not success.
    """
    try:
        status, *results = function(*arguments)
    except RuntimeError as error:  # no driver on this machine
        raise EngineError(f"CUDA is not usable here: {error}") from error
    if status != cudart.cudaError_t.cudaSuccess:
        raise EngineError(f"CUDA: {function.__name__} failed: {getattr(status, 'name', status)}")
    if len(results) == 1:
        return results[0]
    return tuple(results) if results else None


class CudaDevice:
    """See :class:`parakeet_asr.engines.trt.seam.Device`. Closing it frees all that it gave out."""

    def __init__(self) -> None:
        """Take the first GPU and make a stream of the highest priority.

        Raises:
            EngineError: there is none.
        """
        call(cudart.cudaSetDevice, 0)
        attribute = cudart.cudaDeviceAttr.cudaDevAttrIntegrated
        self._is_unified = bool(call(cudart.cudaDeviceGetAttribute, attribute, 0))
        _, highest = call(cudart.cudaDeviceGetStreamPriorityRange)
        # others on this GPU (vision, speech synthesis) wait for a few milliseconds of recognition
        self._stream = call(cudart.cudaStreamCreateWithPriority, cudart.cudaStreamNonBlocking, highest)
        self._device_memory: list[int] = []
        self._host_memory: list[int] = []
        self._graphs: list[Any] = []

    @property
    def stream(self) -> int:
        """Its handle, for TensorRT."""
        return int(self._stream)

    @property
    def is_unified(self) -> bool:
        """See :class:`parakeet_asr.engines.trt.seam.Device`."""
        return self._is_unified

    def allocate(self, size_bytes: int) -> int:
        """See :class:`parakeet_asr.engines.trt.seam.Device`."""
        address = int(call(cudart.cudaMalloc, size_bytes))
        self._device_memory.append(address)
        self.clear(address, size_bytes)
        return address

    def allocate_host(self, size_bytes: int) -> HostBuffer:
        """See :class:`parakeet_asr.engines.trt.seam.Device`."""
        flags = cudart.cudaHostAllocMapped if self._is_unified else cudart.cudaHostAllocDefault
        pointer = int(call(cudart.cudaHostAlloc, size_bytes, flags))
        self._host_memory.append(pointer)
        array = np.ctypeslib.as_array((ctypes.c_uint8 * size_bytes).from_address(pointer))
        array[:] = 0
        address = int(call(cudart.cudaHostGetDevicePointer, pointer, 0)) if self._is_unified else 0
        return HostBuffer(array, address)

    def copy_in(self, address: int, source: HostBuffer, size_bytes: int) -> None:
        """See :class:`parakeet_asr.engines.trt.seam.Device`."""
        kind = cudart.cudaMemcpyKind.cudaMemcpyHostToDevice
        pointer = source.array.ctypes.data
        call(cudart.cudaMemcpyAsync, address, pointer, size_bytes, kind, self._stream)

    def copy_out(self, target: HostBuffer, address: int, size_bytes: int) -> None:
        """See :class:`parakeet_asr.engines.trt.seam.Device`."""
        kind = cudart.cudaMemcpyKind.cudaMemcpyDeviceToHost
        pointer = target.array.ctypes.data
        call(cudart.cudaMemcpyAsync, pointer, address, size_bytes, kind, self._stream)

    def clear(self, address: int, size_bytes: int) -> None:
        """See :class:`parakeet_asr.engines.trt.seam.Device`."""
        call(cudart.cudaMemsetAsync, address, 0, size_bytes, self._stream)

    def synchronize(self) -> None:
        """See :class:`parakeet_asr.engines.trt.seam.Device`."""
        call(cudart.cudaStreamSynchronize, self._stream)

    def capture(self, work: Callable[[], None]) -> Callable[[], None]:
        """See :class:`parakeet_asr.engines.trt.seam.Device`."""
        mode = cudart.cudaStreamCaptureMode.cudaStreamCaptureModeThreadLocal
        call(cudart.cudaStreamBeginCapture, self._stream, mode)
        try:
            work()
        finally:  # whatever happens, the stream must leave the capture
            graph = call(cudart.cudaStreamEndCapture, self._stream)
        executable = call(cudart.cudaGraphInstantiate, graph, 0)
        call(cudart.cudaGraphDestroy, graph)
        self._graphs.append(executable)
        return lambda: call(cudart.cudaGraphLaunch, executable, self._stream)

    def close(self) -> None:
        """See :class:`parakeet_asr.engines.trt.seam.Device`."""
        for executable in self._graphs:
            call(cudart.cudaGraphExecDestroy, executable)
        for address in self._device_memory:
            call(cudart.cudaFree, address)
        for pointer in self._host_memory:
            call(cudart.cudaFreeHost, pointer)
        self._graphs, self._device_memory, self._host_memory = [], [], []
        call(cudart.cudaStreamDestroy, self._stream)
