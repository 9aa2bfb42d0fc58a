"""What a session needs of a runtime and of a device. Tests stand a fake here; on a robot it is TensorRT."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from parakeet_asr.engines.trt.profiles import Shape, ShapeRange

HostArray = NDArray[Any]


@dataclass(frozen=True, slots=True)
class PlanTensor:
    """An input or output of a plan."""

    is_input: bool
    dtype: str  # numpy's name
    shape: Shape  # -1 where it is dynamic
    range: ShapeRange | None = None  # of an input


@dataclass(frozen=True, slots=True)
class HostBuffer:
    """Page-locked host memory, and where a device sees it; 0 when it does not."""

    array: NDArray[np.uint8]
    device_address: int


class Execution(Protocol):
    """One execution context. It keeps its shapes and addresses."""

    def set_input_shape(self, name: str, shape: Shape) -> None:
        """Raises EngineError where the plan does not take it."""
        ...

    def output_shape(self, name: str) -> Shape:
        """For the input shapes that were set."""
        ...

    def bind(self, name: str, address: int) -> None:
        """Read or write the tensor at this device address."""
        ...

    def enqueue(self) -> None:
        """Run on the device's stream; returns at once."""
        ...


class Plan(Protocol):
    """A plan in memory."""

    @property
    def tensors(self) -> dict[str, PlanTensor]:
        """Inputs and outputs by name."""
        ...

    @property
    def scratch_bytes(self) -> int:
        """Activation memory that any execution needs."""
        ...

    def open_execution(self, scratch_address: int) -> Execution:
        """A context on scratch memory that others may share: they take turns on one stream."""
        ...

    def close(self) -> None:
        """Free weights and contexts."""
        ...


class Device(Protocol):
    """Memory and one stream."""

    @property
    def is_unified(self) -> bool:
        """Host and device share one physical memory, as on every Jetson."""
        ...

    def allocate(self, size_bytes: int) -> int:
        """Device memory, zeroed."""
        ...

    def allocate_host(self, size_bytes: int) -> HostBuffer:
        """Page-locked memory; mapped where memory is unified."""
        ...

    def copy_in(self, address: int, source: HostBuffer, size_bytes: int) -> None:
        """Host to device, in the stream's order."""
        ...

    def copy_out(self, target: HostBuffer, address: int, size_bytes: int) -> None:
        """Device to host, in the stream's order."""
        ...

    def clear(self, address: int, size_bytes: int) -> None:
        """Zeros, in the stream's order."""
        ...

    def synchronize(self) -> None:
        """Wait for all that was enqueued."""
        ...

    def capture(self, work: Callable[[], None]) -> Callable[[], None]:
        """Record what ``work`` enqueues as one graph; what comes back enqueues it again.

        Raises:
            EngineError: it cannot be captured.
        """
        ...

    def close(self) -> None:
        """Free everything that was allocated."""
        ...
