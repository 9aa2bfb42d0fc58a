"""A device and plans behind the seam of engines/trt: memory is real, addresses are checked, graphs replayed.

The plans are the model's ONNX graphs, so that what goes in and comes out is the real thing; only the runtime
is made up.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from parakeet_asr.core.model_spec import GraphSpec, ModelSpec
from parakeet_asr.engines.trt.engine import encoder_steps
from parakeet_asr.engines.trt.limits import MachineLimits
from parakeet_asr.engines.trt.profiles import Shape, shape_ranges
from parakeet_asr.engines.trt.seam import HostBuffer, PlanTensor
from parakeet_asr.errors import EngineError


class FakeDevice:
    """Memory of the process; enqueued work is done at once, or recorded."""

    def __init__(self, *, is_unified: bool = False, can_capture: bool = True) -> None:
        self.is_unified = is_unified
        self.closed = False
        self.stream = 1
        self.allocations = 0
        self.launches = 0
        self.copies = 0
        self._can_capture = can_capture
        self._memory: dict[int, Any] = {}
        self._recording: list[Callable[[], None]] | None = None

    def allocate(self, size_bytes: int) -> int:
        assert self._recording is None, "memory was allocated inside of a CUDA graph"
        self.allocations += 1
        memory = (ctypes.c_uint8 * size_bytes)()
        address = ctypes.addressof(memory)
        self._memory[address] = memory
        return address

    def allocate_host(self, size_bytes: int) -> HostBuffer:
        address = self.allocate(size_bytes)
        array = np.frombuffer(self._memory[address], np.uint8)
        return HostBuffer(array, address if self.is_unified else 0)

    def at(self, address: int, dtype: str, shape: Shape) -> np.ndarray[Any, Any]:
        """The tensor at an address that was allocated and is large enough."""
        assert address in self._memory, f"{address:#x} was not allocated here"
        count = int(np.prod(shape, dtype=np.int64))
        return np.frombuffer(self._memory[address], dtype, count).reshape(shape)

    def copy_in(self, address: int, source: HostBuffer, size_bytes: int) -> None:
        def work() -> None:
            self.copies += 1
            self.at(address, "uint8", (size_bytes,))[:] = source.array[:size_bytes]

        self.enqueue(work)

    def copy_out(self, target: HostBuffer, address: int, size_bytes: int) -> None:
        def work() -> None:
            self.copies += 1
            target.array[:size_bytes] = self.at(address, "uint8", (size_bytes,))

        self.enqueue(work)

    def clear(self, address: int, size_bytes: int) -> None:
        self.enqueue(lambda: self.at(address, "uint8", (size_bytes,)).fill(0))

    def enqueue(self, work: Callable[[], None]) -> None:
        assert not self.closed
        if self._recording is None:
            work()
        else:
            self._recording.append(work)

    def synchronize(self) -> None:
        assert self._recording is None, "a stream that is captured must not be waited for"

    def capture(self, work: Callable[[], None]) -> Callable[[], None]:
        if not self._can_capture:
            raise EngineError("the stream cannot be captured")
        self._recording = recorded = []
        try:
            work()
        finally:
            self._recording = None

        def replay() -> None:
            self.launches += 1
            for step in recorded:
                step()

        return replay

    def close(self) -> None:
        self.closed = True
        self._memory.clear()


def plan_tensors(spec: ModelSpec, graph: str, limits: MachineLimits) -> dict[str, PlanTensor]:
    """Inputs and outputs as a plan that was built for these limits has them."""
    contract, ranges = spec.graphs[graph], shape_ranges(spec, graph, limits)
    return {
        name: PlanTensor(
            name in contract.inputs,
            tensor.dtype,
            tuple(d if isinstance(d, int) else -1 for d in tensor.shape),
            ranges.get(name),
        )
        for name, tensor in {**contract.inputs, **contract.outputs}.items()
    }


def output_shape(spec: ModelSpec, graph: GraphSpec, name: str, shapes: Mapping[str, Shape]) -> Shape:
    """What an output is for the shapes of the inputs."""
    sizes: dict[str, int] = {}
    for known, tensor in graph.inputs.items():
        shape = shapes.get(known, ())
        sizes |= {d: n for d, n in zip(tensor.shape, shape, strict=False) if isinstance(d, str)}
    if "frames" in sizes:
        sizes["steps"] = int(encoder_steps(spec, np.array([sizes["frames"]]))[0])
    sizes.setdefault("batch", 1)
    return tuple(d if isinstance(d, int) else sizes[d] for d in graph.outputs[name].shape)


class FakePlan:
    """A graph of a model directory as TensorRT would show it."""

    def __init__(
        self,
        device: FakeDevice,
        directory: Path,
        spec: ModelSpec,
        graph: str,
        limits: MachineLimits,
        disturb: Callable[[dict[str, Any]], None] = lambda _: None,
    ) -> None:
        self.device = device
        self.disturb = disturb  # may spoil the outputs
        self.executions: list[FakeExecution] = []
        self.closed = False
        contract = spec.graphs[graph]
        self.tensors = plan_tensors(spec, graph, limits)
        self.contract, self.spec = contract, spec
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(
            str(directory / contract.file), options, providers=["CPUExecutionProvider"]
        )
        self.scratch_bytes = 1024

    def open_execution(self, scratch_address: int) -> FakeExecution:
        self.device.at(scratch_address, "uint8", (self.scratch_bytes,))
        self.executions.append(FakeExecution(self))
        return self.executions[-1]

    def close(self) -> None:
        self.closed = True


class FakeExecution:
    """Reads and writes only what was bound."""

    def __init__(self, plan: FakePlan) -> None:
        self.plan = plan
        self.shapes: dict[str, Shape] = {
            n: t.shape for n, t in plan.tensors.items() if t.is_input and -1 not in t.shape
        }
        self.addresses: dict[str, int] = {}
        self.changes = 0

    def set_input_shape(self, name: str, shape: Shape) -> None:
        tensor = self.plan.tensors[name]
        assert tensor.range is not None
        assert tensor.range.contains(shape), f"{name}: {shape}"
        self.changes += self.shapes.get(name) != shape
        self.shapes[name] = shape

    def output_shape(self, name: str) -> Shape:
        return output_shape(self.plan.spec, self.plan.contract, name, self.shapes)

    def bind(self, name: str, address: int) -> None:
        assert name in self.plan.tensors, name
        self.addresses[name] = address

    def enqueue(self) -> None:
        assert set(self.addresses) == set(self.plan.tensors), "every tensor needs an address"
        inputs = {name for name, tensor in self.plan.tensors.items() if tensor.is_input}
        assert inputs == set(self.shapes), "every dynamic input needs a shape, in every context"
        shapes, changes = dict(self.shapes), self.changes

        def work() -> None:
            assert self.changes == changes, "a recorded context went on to another shape"
            device, tensors = self.plan.device, self.plan.tensors
            feeds = {
                n: device.at(self.addresses[n], t.dtype, shapes[n]).copy()
                for n, t in tensors.items()
                if t.is_input
            }
            names = list(self.plan.contract.outputs)
            outputs = dict(zip(names, self.plan.session.run(names, feeds), strict=True))
            outputs = {name: np.array(value) for name, value in outputs.items()}
            self.plan.disturb(outputs)
            for name, value in outputs.items():
                assert value.shape == self.output_shape(name), (name, value.shape)
                device.at(self.addresses[name], tensors[name].dtype, value.shape)[...] = value

        self.plan.device.enqueue(work)
