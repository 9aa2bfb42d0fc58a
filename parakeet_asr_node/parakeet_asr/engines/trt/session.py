"""One plan, ready to run: buffers that are allocated once, bindings, and a CUDA graph per frequent shape.

Scratch memory is shared by all contexts. A CUDA graph is a recording of one shape and one set of addresses,
so each has a context of its own: a context that went on to another shape would change what is replayed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from parakeet_asr.core.model_spec import GraphSpec, TensorSpec
from parakeet_asr.engines.trt.plan_files import PlanError
from parakeet_asr.engines.trt.profiles import Shape
from parakeet_asr.engines.trt.seam import Device, Execution, HostArray, HostBuffer, Plan, PlanTensor
from parakeet_asr.errors import EngineError

MAX_GRAPHS = 4
_CAPTURE_AT = 3  # a shape that comes for the third time is a frequent one

Resident = tuple[tuple[str, int], ...]  # tensors that stay on the device: name and address


def check_contract(graph: str, contract: GraphSpec, tensors: Mapping[str, PlanTensor]) -> None:
    """A plan's tensors against ``model.json``, by name.

    Raises:
        PlanError: naming both sides.
    """
    for role, expected, is_input in (("input", contract.inputs, True), ("output", contract.outputs, False)):
        found = {name: t for name, t in tensors.items() if t.is_input is is_input}
        if set(found) != set(expected):
            raise PlanError(
                f"plan of {graph}: its {role}s are {sorted(found)}, model.json says {sorted(expected)}; "
                "build it again"
            )
        for name, spec in expected.items():
            if not _fits(spec, found[name]):
                raise PlanError(
                    f"plan of {graph}: {role} {name!r} is {found[name].dtype}{list(found[name].shape)}, "
                    f"model.json says {spec.dtype}{list(spec.shape)}; build it again"
                )


def _fits(spec: TensorSpec, found: PlanTensor) -> bool:
    shape = tuple(n if n >= 0 else "any" for n in found.shape)
    return spec.accepts(found.dtype, shape)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a tensor lives."""

    address: int  # device
    host: HostBuffer | None  # None: nobody on the host wants it
    is_copied: bool  # host and device have memory of their own


class PlanSession:
    """Runs one plan. Arrays that it returns are valid until the next call."""

    def __init__(
        self,
        graph: str,
        plan: Plan,
        device: Device,
        contract: GraphSpec,
        *,
        wanted: tuple[str, ...],
        resident: tuple[str, ...] = (),
        graphs: bool = True,
    ) -> None:
        """Check the contract and allocate for the largest shapes.

        Args:
            graph: its name, for messages.
            plan: deserialized.
            device: where it runs.
            contract: of ``model.json``.
            wanted: outputs that the host reads.
            resident: tensors that stay on the device; their addresses come with each call.
            graphs: record frequent shapes as CUDA graphs.

        Raises:
            PlanError: the plan is not one of this graph.
            EngineError: memory is exhausted.
        """
        check_contract(graph, contract, plan.tensors)
        self.graph = graph
        self._plan, self._device, self._wanted = plan, device, wanted
        self._resident_names = frozenset(resident)
        self._uses_graphs = graphs
        self._scratch = device.allocate(max(1, plan.scratch_bytes))
        self._general = plan.open_execution(self._scratch)
        self._counts: Counter[tuple[tuple[Shape, ...], Resident]] = Counter()
        self._recorded: dict[tuple[tuple[Shape, ...], Resident], tuple[Execution, Callable[[], None]]] = {}
        self.graph_refusal = ""  # why nothing is recorded any more
        self._inputs = [name for name, tensor in plan.tensors.items() if tensor.is_input]
        self._places = {name: self._place(name, size) for name, size in self._largest_bytes().items()}

    @property
    def recorded_graphs(self) -> int:
        """CUDA graphs that exist."""
        return len(self._recorded)

    def largest(self, name: str) -> Shape:
        """The largest shape of an input."""
        shapes = self._plan.tensors[name].range
        assert shapes is not None, name
        return shapes.most

    def run(self, feeds: Mapping[str, HostArray], resident: Resident = ()) -> dict[str, HostArray]:
        """Run once.

        Args:
            feeds: every input that is not resident.
            resident: name and device address of every resident tensor.

        Raises:
            EngineError: a shape that the plan was not built for, or the device failed.
        """
        shapes = self._checked_shapes(feeds)
        for name, value in feeds.items():
            place = self._places[name]
            assert place.host is not None
            view = place.host.array[: value.nbytes].view(value.dtype).reshape(value.shape)
            np.copyto(view, value)
        key = (tuple(shapes.values()), resident)
        recorded = self._recorded.get(key)
        if recorded is None:
            recorded = self._record_if_frequent(key, shapes, resident)
        if recorded is None:
            execution = self._general
            self._prepare(execution, shapes, resident)
            self._work(execution, shapes)
        else:
            execution, replay = recorded
            replay()
        self._device.synchronize()
        return {name: self._output(name, execution) for name in self._wanted}

    def _checked_shapes(self, feeds: Mapping[str, HostArray]) -> dict[str, Shape]:
        shapes = {}
        for name in self._inputs:
            tensor = self._plan.tensors[name]
            assert tensor.range is not None, name
            if name in self._resident_names:
                continue  # its shape is fixed
            value = feeds[name]
            if value.dtype.name != tensor.dtype or not tensor.range.contains(value.shape):
                raise EngineError(
                    f"plan of {self.graph}: input {name!r} is {value.dtype.name}{list(value.shape)}, it was "
                    f"built for {tensor.dtype}{list(tensor.range.least)} to {list(tensor.range.most)}; build "
                    "it again with a larger PARAKEET_MAX_UTTERANCE_S or PARAKEET_MAX_BATCH, or use shorter "
                    "windows"
                )
            shapes[name] = value.shape
        return shapes

    def _prepare(self, execution: Execution, shapes: Mapping[str, Shape], resident: Resident) -> None:
        for name in self._inputs:  # resident ones, too: a new context knows no shape at all
            execution.set_input_shape(name, shapes.get(name) or self.largest(name))
        for name, place in self._places.items():
            execution.bind(name, place.address)
        for name, address in resident:
            execution.bind(name, address)

    def _work(self, execution: Execution, shapes: Mapping[str, Shape]) -> None:
        """Enqueue copies and the plan; no call in here waits or allocates."""
        for name in shapes:
            place = self._places[name]
            if place.is_copied and place.host is not None:
                size = _bytes(shapes[name], self._plan.tensors[name].dtype)
                self._device.copy_in(place.address, place.host, size)
        execution.enqueue()
        for name in self._wanted:
            place = self._places[name]
            if place.is_copied and place.host is not None:
                size = _bytes(execution.output_shape(name), self._plan.tensors[name].dtype)
                self._device.copy_out(place.host, place.address, size)

    def _record_if_frequent(
        self, key: tuple[tuple[Shape, ...], Resident], shapes: Mapping[str, Shape], resident: Resident
    ) -> tuple[Execution, Callable[[], None]] | None:
        self._counts[key] += 1
        frequent = self._counts[key] >= _CAPTURE_AT
        if not (self._uses_graphs and frequent and len(self._recorded) < MAX_GRAPHS):
            return None
        execution = self._plan.open_execution(self._scratch)
        self._prepare(execution, shapes, resident)
        try:
            self._work(execution, shapes)  # TensorRT prepares itself when a shape runs for the first time
            self._device.synchronize()
            replay = self._device.capture(lambda: self._work(execution, shapes))
        except EngineError as error:
            self._uses_graphs = False
            self.graph_refusal = str(error)
            return None
        self._recorded[key] = (execution, replay)
        return self._recorded[key]

    def _output(self, name: str, execution: Execution) -> HostArray:
        place, dtype = self._places[name], np.dtype(self._plan.tensors[name].dtype)
        assert place.host is not None
        shape = execution.output_shape(name)
        return place.host.array[: _bytes(shape, dtype.name)].view(dtype).reshape(shape)

    def _largest_bytes(self) -> dict[str, int]:
        tensors = self._plan.tensors
        for name in self._inputs:
            self._general.set_input_shape(name, self.largest(name))
        sizes = {}
        for name, tensor in tensors.items():
            if name not in self._resident_names:
                shape = self.largest(name) if tensor.is_input else self._general.output_shape(name)
                sizes[name] = _bytes(shape, tensor.dtype)
        return sizes

    def _place(self, name: str, size: int) -> _Place:
        is_wanted = self._plan.tensors[name].is_input or name in self._wanted
        if not is_wanted:
            return _Place(self._device.allocate(size), None, is_copied=False)
        host = self._device.allocate_host(size)
        if self._device.is_unified:
            return _Place(host.device_address, host, is_copied=False)
        return _Place(self._device.allocate(size), host, is_copied=True)


def _bytes(shape: Shape, dtype: str) -> int:
    return int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize
