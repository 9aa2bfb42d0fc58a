"""One step of an encoder with everything that goes in and comes out, caches included, in our names."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import numpy as np
import onnxruntime

from parakeet_asr.core.engine import Engine
from parakeet_asr.core.model_spec import STREAMING_GRAPH, ModelSpec
from parakeet_asr.errors import ConfigurationError, EngineError
from parakeet_asr.model_directory import is_archive, read_model_directory
from parakeet_asr_tools.parity.contract import Tensors, our_names
from parakeet_asr_tools.parity.reference import Kind


class Runner(Protocol):
    """An encoder that remembers nothing, and the engine that decodes what it says."""

    @property
    def description(self) -> str:
        """For people."""
        ...

    @property
    def decoder(self) -> Engine | None:
        """Steps of the decoder; None where only an encoder's graph was given."""
        ...

    def run(self, inputs: Tensors) -> Tensors:
        """Raises EngineError where it fails."""
        ...


def open_runner(engine: str, model: Path, kind: Kind) -> Runner:
    """An engine for one kind of chunks.

    Args:
        engine: ``ort``: a model directory or an ONNX file with NeMo's or trt-asr-engine's names; ``torch``: a
            ``.nemo`` file; ``trt``: a model directory whose plans were built on this machine.
        model: its path.
        kind: of the reference.

    Raises:
        ConfigurationError: the engine cannot run such a model.
        EngineError: it cannot be opened.
    """
    if engine == "torch":
        return _TorchRunner(model, kind)
    if engine == "ort" and model.suffix == ".onnx":
        return OrtRunner(model, None)
    if is_archive(model):
        raise ConfigurationError(
            f"{model}: expected a model directory for engine {engine!r}, or engine 'torch'"
        )
    spec = read_model_directory(model)
    graph = STREAMING_GRAPH if kind == "cache_aware" else "encoder"
    if graph not in spec.graphs:
        raise ConfigurationError(f"{model}: expected a {kind} model, it has the graphs {sorted(spec.graphs)}")
    if engine == "trt":
        return _trt_runner(model, spec, graph)
    from parakeet_asr.engines.ort import OrtEngine

    return OrtRunner(model / spec.graphs[graph].file, OrtEngine(model, spec, threads=1))


class OrtRunner:
    """Any ONNX graph of one step, on the CPU."""

    def __init__(self, path: Path, decoder: Engine | None) -> None:
        """Load it.

        Raises:
            EngineError: ONNX Runtime does not take it.
        """
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        try:
            self._session = onnxruntime.InferenceSession(
                str(path), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # ONNX Runtime's exceptions share no base class below Exception
            raise EngineError(f"{path}: ONNX Runtime cannot load this graph: {error}") from error
        self._inputs = our_names(node.name for node in self._session.get_inputs())
        self._outputs = our_names(node.name for node in self._session.get_outputs())
        self.description = f"onnxruntime {onnxruntime.__version__} {path.parent.name}/{path.name}"
        self.decoder = decoder

    def run(self, inputs: Tensors) -> Tensors:
        """See :class:`Runner`."""
        if missing := sorted(set(self._inputs) - set(inputs)):
            raise EngineError(f"the graph wants {missing}, which this kind of reference does not have")
        feeds = {theirs: np.ascontiguousarray(inputs[ours]) for ours, theirs in self._inputs.items()}
        try:
            values = self._session.run(list(self._outputs.values()), feeds)
        except Exception as error:  # as above
            raise EngineError(f"ONNX Runtime failed: {error}") from error
        return dict(zip(self._outputs, values, strict=True))


class _TorchRunner:
    """The PyTorch modules."""

    def __init__(self, nemo: Path, kind: Kind) -> None:
        if not is_archive(nemo):
            raise ConfigurationError(f"{nemo}: engine 'torch' runs a .nemo file")
        from parakeet_asr.engines.pytorch.loading import load_archive

        self._engine = load_archive(nemo, "cpu", "float32", None).engine
        self._run = self._step if kind == "cache_aware" else self._encode
        self.description = self._engine.description
        self.decoder: Engine | None = self._engine

    def run(self, inputs: Tensors) -> Tensors:
        """See :class:`Runner`."""
        import torch

        with torch.inference_mode():
            return self._run(inputs)

    def _step(self, inputs: Tensors) -> Tensors:
        import torch

        from parakeet_asr.engines.pytorch.model.encoder import Caches

        caches = Caches(
            *(
                torch.from_numpy(np.ascontiguousarray(inputs[name]))
                for name in ("cache_last_channel", "cache_last_time", "cache_last_channel_len")
            )
        )
        features, length = torch.from_numpy(inputs["audio_signal"]), torch.from_numpy(inputs["length"])
        outputs, steps, caches = self._engine.model.encoder.step(features, length, caches)
        return {
            "outputs": outputs.numpy(),
            "encoded_lengths": steps.numpy(),
            "cache_last_channel_next": caches.channel.numpy(),
            "cache_last_time_next": caches.time.numpy(),
            "cache_last_channel_next_len": caches.length.numpy(),
            "encoded_projected": self._engine.model.joint.enc(outputs.transpose(1, 2)).numpy(),
        }

    def _encode(self, inputs: Tensors) -> Tensors:
        import torch

        outputs, steps = self._engine.model.encoder(
            torch.from_numpy(inputs["audio_signal"]), torch.from_numpy(inputs["length"])
        )
        projected = self._engine.model.joint.enc(outputs.transpose(1, 2))
        return {
            "outputs": outputs.numpy(),
            "encoded_lengths": steps.numpy(),
            "encoded_projected": projected.numpy(),
        }


class SessionRunner:
    """A TensorRT plan whose caches travel over the host, which only a check needs."""

    def __init__(self, run: Callable[[Tensors], Tensors], description: str, decoder: Engine | None) -> None:
        self._run, self.description, self.decoder = run, description, decoder

    def run(self, inputs: Tensors) -> Tensors:
        """See :class:`Runner`."""
        answer = self._run({name: np.ascontiguousarray(value) for name, value in inputs.items()})
        return {name: value.copy() for name, value in answer.items()}  # buffers are used again


def _trt_runner(directory: Path, spec: ModelSpec, graph: str) -> SessionRunner:
    from parakeet_asr.engines.trt.cuda_device import CudaDevice
    from parakeet_asr.engines.trt.limits import machine_limits
    from parakeet_asr.engines.trt.opening import Workplace, open_trt, present_platform, stored_clips
    from parakeet_asr.engines.trt.plan_files import built_limits, find_plan
    from parakeet_asr.engines.trt.runtime import TrtPlan
    from parakeet_asr.engines.trt.session import PlanSession

    limits = built_limits(directory) or machine_limits()
    engine = open_trt(directory, spec, limits, rebuild=False, clips=stored_clips())
    place, platform = Workplace(directory, spec, limits), present_platform()
    device = CudaDevice()
    plan = TrtPlan(graph, find_plan(place.plans, graph, place.key(graph, platform)).read(), device.stream)
    contract = spec.graphs[graph]
    session = PlanSession(graph, plan, device, contract, wanted=tuple(contract.outputs))
    return SessionRunner(session.run, f"{platform.flavour} {platform.version} {platform.gpu}", engine)
