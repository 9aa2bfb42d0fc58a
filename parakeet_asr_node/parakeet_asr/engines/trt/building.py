"""ONNX to plan. The types of the graph are the precision: strongly typed, on every version."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

from parakeet_asr.engines.trt.flavour import FLAVOUR, KEEPS_TIMES, trt
from parakeet_asr.engines.trt.inspection import EngineSummary, read_engine_log
from parakeet_asr.engines.trt.limits import MachineLimits
from parakeet_asr.engines.trt.log import LOG
from parakeet_asr.engines.trt.profiles import ShapeRange
from parakeet_asr.errors import EngineError

_MIB = 1 << 20
Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class BuiltPlan:
    """A plan and how it came to be."""

    data: bytes
    summary: EngineSummary
    network_layers: int  # before TensorRT's optimization
    parse_s: float
    build_s: float
    build_cpu_s: float
    used_timing_cache: bool


class _Monitor(trt.IProgressMonitor):
    """TensorRT's phases, as text for people."""

    def __init__(self, graph: str, report: Progress) -> None:
        trt.IProgressMonitor.__init__(self)
        self._graph, self._report = graph, report
        self._steps: dict[str, int] = {}

    def phase_start(self, phase_name: str, parent_phase: str, num_steps: int) -> None:  # noqa: ARG002
        """A phase begins."""
        self._steps[phase_name] = num_steps
        self._report(f"building {self._graph}: {phase_name}")

    def step_complete(self, phase_name: str, step: int) -> bool:
        """A step of it is done; the build goes on."""
        self._report(f"building {self._graph}: {phase_name} {step + 1}/{self._steps.get(phase_name, 0)}")
        return True

    def phase_finish(self, phase_name: str) -> None:
        """It is over."""
        self._steps.pop(phase_name, None)


def build_plan(
    graph: Path,
    ranges: dict[str, ShapeRange],
    limits: MachineLimits,
    *,
    log: Path,
    timing_cache: Path | None = None,
    stream_weights: bool = False,
    on_progress: Progress = lambda _: None,
) -> BuiltPlan:
    """Build one graph.

    Args:
        graph: the ONNX file, external data beside it.
        ranges: the shapes of each input, one profile.
        limits: workspace; the precision is in the graph.
        log: everything that TensorRT says goes there.
        timing_cache: read where it exists, and written; measured kernels need not be measured again.
        stream_weights: let weights stay in host memory, for models that do not fit.
        on_progress: told what is being done.

    Raises:
        EngineError: TensorRT cannot parse or build it; the message has TensorRT's reason and names the log.
    """
    with LOG.into(log):
        built = _build(graph, ranges, limits, log, timing_cache, stream_weights, on_progress)
    return replace(built, summary=read_engine_log(log.read_text("utf-8", errors="replace")))


def _build(
    graph: Path,
    ranges: dict[str, ShapeRange],
    limits: MachineLimits,
    log: Path,
    timing_cache: Path | None,
    stream_weights: bool,
    on_progress: Progress,
) -> BuiltPlan:
    builder = trt.Builder(LOG)
    network = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
    parser = trt.OnnxParser(network, LOG)
    on_progress(f"parsing {graph.name}")
    began = time.monotonic()
    if not bool(parser.parse_from_file(os.fspath(graph))):
        reasons = "; ".join(parser.get_error(i).desc() for i in range(parser.num_errors))
        raise EngineError(f"{graph}: TensorRT {trt.__version__} cannot parse it: {reasons}; see {log}")
    parse_s = time.monotonic() - began
    config = builder.create_builder_config()
    _configure(builder, config, ranges, limits, stream_weights)
    monitor = _Monitor(graph.stem, on_progress)  # has to live as long as the configuration
    config.progress_monitor = monitor
    used = _load_timing_cache(config, timing_cache)
    began, cpu = time.monotonic(), time.process_time()
    plan = cast("trt.IHostMemory | None", builder.build_serialized_network(network, config))
    if plan is None:
        raise EngineError(
            f"{graph}: {FLAVOUR} {trt.__version__} cannot build it: {LOG.trouble()}; see {log}. With too "
            "little memory: lower PARAKEET_WORKSPACE_MB, PARAKEET_MAX_UTTERANCE_S or PARAKEET_MAX_BATCH"
        )
    built_s, built_cpu_s = time.monotonic() - began, time.process_time() - cpu
    _store_timing_cache(config, timing_cache)
    return BuiltPlan(
        data=bytes(plan),
        summary=EngineSummary(),  # read from the log once it is whole
        network_layers=network.num_layers,
        parse_s=parse_s,
        build_s=built_s,
        build_cpu_s=built_cpu_s,
        used_timing_cache=used,
    )


def _configure(
    builder: trt.Builder,
    config: trt.IBuilderConfig,
    ranges: dict[str, ShapeRange],
    limits: MachineLimits,
    stream_weights: bool,
) -> None:
    config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, limits.workspace_mb * _MIB)
    config.profiling_verbosity = trt.ProfilingVerbosity.DETAILED
    # One stream: branches in parallel gain little here, and each takes activation memory of its own.
    config.max_aux_streams = 0
    if stream_weights:
        config.set_flag(trt.BuilderFlag.WEIGHT_STREAMING)
    profile = builder.create_optimization_profile()
    for name, shapes in ranges.items():
        profile.set_shape(name, *(trt.Dims(list(s)) for s in (shapes.least, shapes.typical, shapes.most)))
    if config.add_optimization_profile(profile) < 0:
        raise EngineError(f"TensorRT refuses the shapes {ranges}; export the model again")


def _load_timing_cache(config: trt.IBuilderConfig, path: Path | None) -> bool:
    """Measured times of an earlier build; damaged ones are made anew."""
    if path is None or not KEEPS_TIMES:
        return False
    data = path.read_bytes() if path.is_file() else b""
    cache = cast("trt.ITimingCache | None", config.create_timing_cache(data))
    if cache is not None and config.set_timing_cache(cache, False):
        return bool(data)
    empty = cast("trt.ITimingCache | None", config.create_timing_cache(b""))
    if empty is not None:
        config.set_timing_cache(empty, True)
    return False


def _store_timing_cache(config: trt.IBuilderConfig, path: Path | None) -> None:
    if path is None or not KEEPS_TIMES:
        return
    cache = cast("trt.ITimingCache | None", config.get_timing_cache())
    if cache is None:
        return
    data = bytes(cache.serialize())
    scratch = path.with_suffix(".part")
    scratch.write_bytes(data)
    scratch.replace(path)
