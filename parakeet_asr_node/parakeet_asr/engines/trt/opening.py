"""From a model directory to an engine that was proven: find its plans, or build them, then check."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from parakeet_asr.core.model_spec import ModelSpec
from parakeet_asr.core.self_check import THRESHOLDS, Answers, SelfCheckReport, judge, listen
from parakeet_asr.engines.trt.limits import MachineLimits
from parakeet_asr.engines.trt.plan_files import (
    PlanError,
    Platform,
    StoredPlan,
    find_plan,
    graph_sha256,
    plan_folder,
    plan_key,
    write_plan,
)
from parakeet_asr.engines.trt.profiles import describe, plan_graphs, shape_ranges
from parakeet_asr.errors import EngineError
from parakeet_asr.records import FloatArray

MODEL_FILE = "model.json"
REFERENCE_FILE = "self_check_reference.npz"
REPORT_FILE = "build_report.json"
CHECK_FILE = "self_check.json"
CLIPS_FILE = "self_check_clips.npz"
LOG_FOLDER = "build_logs"
TIMING_CACHE = "timing.cache"
_DATA_FILE = "encoder.onnx.data"  # of both encoders, where they are large

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Workplace:
    """The folders of one model in one precision."""

    directory: Path  # the model directory, float32
    spec: ModelSpec
    limits: MachineLimits

    @property
    def plans(self) -> Path:
        """Plans, logs, reports."""
        return plan_folder(self.directory, self.limits.precision)

    def graph(self, name: str) -> Path:
        """The ONNX file that a plan is built of.

        Raises:
            PlanError: it is not there.
        """
        folder = self.directory if self.limits.precision == "fp32" else self.plans
        path = folder / self.spec.graphs[name].file
        if not path.is_file():
            raise PlanError(
                f"{path} does not exist: graphs in {self.limits.precision} are made by 'parakeet-asr-tools "
                f"build {self.directory} --precision {self.limits.precision}'"
            )
        return path

    def key(self, name: str, platform: Platform) -> Any:
        """What a plan of this graph has to be built for."""
        path = self.graph(name)
        ranges = shape_ranges(self.spec, name, self.limits)
        digest = graph_sha256(path, path.with_name(_DATA_FILE) if name.startswith("encoder") else None)
        return plan_key(digest, platform, self.limits, describe(ranges))


def build_graph(
    place: Workplace,
    name: str,
    platform: Platform,
    *,
    stream_weights: bool = False,
    on_progress: Progress = lambda _: None,
) -> tuple[StoredPlan, dict[str, Any]]:
    """Build one plan and store it.

    Returns:
        The plan and its row of the report.

    Raises:
        EngineError: TensorRT cannot build it.
    """
    from parakeet_asr.engines.trt.building import build_plan

    key = place.key(name, platform)
    log = place.plans / LOG_FOLDER / f"{name}.log"
    built = build_plan(
        place.graph(name),
        shape_ranges(place.spec, name, place.limits),
        place.limits,
        log=log,
        timing_cache=place.plans / TIMING_CACHE,
        stream_weights=stream_weights,
        on_progress=on_progress,
    )
    stored = write_plan(place.plans, name, key, built.data)
    row = {
        "plan": stored.path.name,
        "bytes": len(built.data),
        "key": asdict(key),
        "parse_s": round(built.parse_s, 2),
        "build_s": round(built.build_s, 2),
        "build_cpu_s": round(built.build_cpu_s, 2),
        "used_timing_cache": built.used_timing_cache,
        "network_layers": built.network_layers,
        "engine": built.summary.to_json(),
        "log": f"{LOG_FOLDER}/{log.name}",
    }
    return stored, row


def present_platform() -> Platform:
    """TensorRT and the GPU of this machine; a GPU's fields are empty where there is none.

    Raises:
        EngineError: there is no TensorRT, or it does not run on this GPU.
    """
    from parakeet_asr.engines.trt.flavour import FLAVOUR, require_supported, trt

    name, capability = "", ""
    try:
        from parakeet_asr.engines.trt.cuda_device import find_gpu

        gpu = find_gpu()
        name, capability = gpu.name, gpu.compute_capability
    except EngineError:
        pass
    if capability:
        require_supported(capability)
    return Platform(FLAVOUR, str(trt.__version__), name, capability)


def open_trt(
    directory: Path, spec: ModelSpec, limits: MachineLimits, *, rebuild: bool, clips: list[FloatArray]
) -> Any:
    """Open the plans of a model directory on this machine's GPU.

    Args:
        directory: the model directory.
        spec: its contract.
        limits: what the plans were, or are to be, built for.
        rebuild: build plans that are missing, damaged or built for something else.
        clips: speech for the self-check.

    Raises:
        PlanError: a plan is missing, damaged or does not fit, and ``rebuild`` is off.
        EngineError: no GPU or TensorRT, or the self-check failed.
    """
    from parakeet_asr.engines.trt.cuda_device import CudaDevice
    from parakeet_asr.engines.trt.engine import TrtEngine
    from parakeet_asr.engines.trt.runtime import TrtPlan

    place = Workplace(directory, spec, limits)
    platform = present_platform()
    if not platform.gpu:
        raise EngineError("engine 'trt': expected a CUDA device, found none that answers")
    stored = {name: _stored(place, name, platform, rebuild) for name in plan_graphs(spec)}
    device = CudaDevice()
    try:

        def load(name: str) -> TrtPlan:
            try:
                return TrtPlan(name, stored[name].read(), device.stream)
            except PlanError:  # its key fits, and TensorRT does not take it all the same: another driver
                if not rebuild:
                    raise
                stored[name], _ = build_graph(place, name, platform)
                return TrtPlan(name, stored[name].read(), device.stream)

        plans = {name: load(name) for name in stored}
        text = f"{platform.flavour} {platform.version} {platform.gpu} {limits.precision}"
        engine = TrtEngine(spec, dict(plans), device, text)
        _require_proven(place, engine, [plan.sha256 for plan in stored.values()], clips)
    except BaseException:
        device.close()
        raise
    return engine


def _stored(place: Workplace, name: str, platform: Platform, rebuild: bool) -> StoredPlan:
    try:
        plan = find_plan(place.plans, name, place.key(name, platform))
        plan.read()
    except PlanError:
        if not rebuild:
            raise
        plan, _ = build_graph(place, name, platform)
    return plan


def _require_proven(place: Workplace, engine: Any, plans: list[str], clips: list[FloatArray]) -> None:
    """The self-check, once for these plans on this machine; its outcome is kept beside them."""
    path = place.plans / CHECK_FILE
    report: dict[str, Any] = {}
    with contextlib.suppress(OSError, ValueError):  # not checked yet
        report = json.loads(path.read_text("utf-8"))
    if report.get("plans") != plans:
        outcome = check_engine(place, engine, clips)
        report = {"plans": plans, **outcome.to_json()}
        with contextlib.suppress(OSError):  # a read-only disk: it is checked again next time
            path.write_text(json.dumps(report, indent=2) + "\n", "utf-8")
    if not report["passed"]:
        raise EngineError(
            f"self-check: this engine is not used, {'; '.join(report['failures'])}; see {path}. Build it "
            "with another precision (PARAKEET_PRECISION=fp32 or bf16), or use engine 'ort'"
        )


def check_engine(place: Workplace, engine: Any, clips: list[FloatArray]) -> SelfCheckReport:
    """Compare an engine with the reference of its model."""
    reference = load_reference(place.plans / REFERENCE_FILE)
    if reference is None:
        reference = make_reference(place, clips)
    answers = listen(engine, clips, forced=reference)
    return judge(reference, answers, THRESHOLDS[place.limits.precision])


def stored_clips() -> list[FloatArray]:
    """Speech that comes with the package, [n] float32 each."""
    with np.load(Path(__file__).with_name(CLIPS_FILE)) as data:
        return [data[name].astype(np.float32) / np.float32(32768) for name in sorted(data.files)]


def make_reference(place: Workplace, clips: list[FloatArray]) -> Answers:
    """What ONNX Runtime says in float32, kept beside the plans: a robot need not load both at once."""
    from parakeet_asr.engines.ort import OrtEngine

    engine = OrtEngine(place.directory, place.spec, threads=0)
    try:
        reference = listen(engine, clips)
    finally:
        engine.close()
    arrays = {f"stage.{name}": values.astype(np.float32) for name, values in reference.stages.items()}
    arrays |= {f"tokens.{i}": np.array(ids, np.int64) for i, ids in enumerate(reference.tokens)}
    with contextlib.suppress(OSError):  # a read-only disk: it is made again next time
        place.plans.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(place.plans / REFERENCE_FILE, steps=reference.steps, **arrays)  # type: ignore[arg-type]
    return reference


def load_reference(path: Path) -> Answers | None:
    """The stored reference; None where there is none, or it is damaged."""
    try:
        with np.load(path) as data:
            stages = {n.removeprefix("stage."): data[n] for n in data.files if n.startswith("stage.")}
            count = sum(n.startswith("tokens.") for n in data.files)
            tokens = tuple(tuple(data[f"tokens.{i}"].tolist()) for i in range(count))
            return Answers(stages, data["steps"], tokens)
    except (OSError, ValueError, KeyError):
        return None
