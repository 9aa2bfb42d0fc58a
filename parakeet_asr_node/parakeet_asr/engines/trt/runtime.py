"""Plans in TensorRT's runtime, through its name-based interface only."""

from __future__ import annotations

from parakeet_asr.engines.trt.flavour import FLAVOUR, trt
from parakeet_asr.engines.trt.log import LOG
from parakeet_asr.engines.trt.plan_files import PlanError
from parakeet_asr.engines.trt.profiles import Shape, ShapeRange
from parakeet_asr.engines.trt.seam import PlanTensor
from parakeet_asr.errors import EngineError

_NUMPY_NAMES = {
    trt.DataType.FLOAT: "float32",
    trt.DataType.HALF: "float16",
    trt.DataType.INT64: "int64",
    trt.DataType.INT32: "int32",
    trt.DataType.BOOL: "bool",
}


class TrtPlan:
    """See :class:`parakeet_asr.engines.trt.seam.Plan`."""

    def __init__(self, name: str, data: memoryview, stream: int) -> None:
        """Deserialize.

        Args:
            name: for messages.
            data: the plan; its key was compared before, see :mod:`.plan_files`.
            stream: CUDA stream that every execution runs on.

        Raises:
            PlanError: TensorRT does not take it.
        """
        self._name, self._stream = name, stream
        LOG.forget()
        try:
            self._runtime = trt.Runtime(LOG)
            engine = self._runtime.deserialize_cuda_engine(data)
        except Exception as error:  # pybind11 turns whatever TensorRT throws into exceptions of its own
            raise PlanError(f"{name}: {FLAVOUR} {trt.__version__} refuses the plan: {error}") from error
        if engine is None:
            raise PlanError(
                f"{name}: {FLAVOUR} {trt.__version__} refuses the plan: {LOG.trouble()}; build it again"
            )
        self._engine: trt.ICudaEngine | None = engine
        self._executions: list[TrtExecution] = []
        self._tensors = dict(self._read_tensor(engine, i) for i in range(engine.num_io_tensors))

    @property
    def tensors(self) -> dict[str, PlanTensor]:
        """See :class:`parakeet_asr.engines.trt.seam.Plan`."""
        return self._tensors

    @property
    def scratch_bytes(self) -> int:
        """See :class:`parakeet_asr.engines.trt.seam.Plan`."""
        return int(self._open().device_memory_size_v2)

    def open_execution(self, scratch_address: int) -> TrtExecution:
        """See :class:`parakeet_asr.engines.trt.seam.Plan`."""
        engine = self._open()
        context = engine.create_execution_context(trt.ExecutionContextAllocationStrategy.USER_MANAGED)
        if context is None:
            raise EngineError(f"{self._name}: TensorRT made no execution context: {LOG.trouble()}")
        context.set_device_memory(scratch_address, engine.device_memory_size_v2)
        execution = TrtExecution(self._name, context, self._stream)
        self._executions.append(execution)
        return execution

    def close(self) -> None:
        """See :class:`parakeet_asr.engines.trt.seam.Plan`. Contexts go before the engine."""
        for execution in self._executions:
            execution.close()
        self._executions.clear()
        self._engine = None

    def _open(self) -> trt.ICudaEngine:
        if self._engine is None:
            raise EngineError(f"{self._name}: the plan was closed")
        return self._engine

    def _read_tensor(self, engine: trt.ICudaEngine, index: int) -> tuple[str, PlanTensor]:
        name = engine.get_tensor_name(index)
        is_input = engine.get_tensor_mode(name) == trt.TensorIOMode.INPUT
        kind = engine.get_tensor_dtype(name)
        shapes = None
        if is_input:
            least, typical, most = map(_shape, engine.get_tensor_profile_shape(name, 0))
            shapes = ShapeRange(least, typical, most)
        shape = _shape(engine.get_tensor_shape(name))
        return name, PlanTensor(is_input, _NUMPY_NAMES.get(kind, str(kind)), shape, shapes)


class TrtExecution:
    """See :class:`parakeet_asr.engines.trt.seam.Execution`."""

    def __init__(self, name: str, context: trt.IExecutionContext, stream: int) -> None:
        """Of a context that has its scratch memory."""
        self._name, self._stream = name, stream
        self._context: trt.IExecutionContext | None = context

    def set_input_shape(self, name: str, shape: Shape) -> None:
        """See :class:`parakeet_asr.engines.trt.seam.Execution`."""
        if not self._open().set_input_shape(name, shape):
            raise EngineError(f"{self._name}: TensorRT refuses shape {list(shape)} for {name!r}")

    def output_shape(self, name: str) -> Shape:
        """See :class:`parakeet_asr.engines.trt.seam.Execution`."""
        return _shape(self._open().get_tensor_shape(name))

    def bind(self, name: str, address: int) -> None:
        """See :class:`parakeet_asr.engines.trt.seam.Execution`."""
        if not self._open().set_tensor_address(name, address):
            raise EngineError(f"{self._name}: TensorRT refuses the address of {name!r}")

    def enqueue(self) -> None:
        """See :class:`parakeet_asr.engines.trt.seam.Execution`."""
        if not self._open().execute_async_v3(self._stream):
            raise EngineError(f"{self._name}: TensorRT failed to run: {LOG.trouble()}")

    def close(self) -> None:
        """Free the context."""
        self._context = None

    def _open(self) -> trt.IExecutionContext:
        if self._context is None:
            raise EngineError(f"{self._name}: the execution was closed")
        return self._context


def _shape(dimensions: trt.Dims) -> Shape:
    return tuple(int(dimensions[i]) for i in range(len(dimensions)))
