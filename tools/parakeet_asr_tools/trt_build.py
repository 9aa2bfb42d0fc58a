"""Build every plan of a model directory and write what came of it."""

from __future__ import annotations

import json
import resource
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from parakeet_asr.engines.trt.limits import MachineLimits
from parakeet_asr.engines.trt.opening import (
    REPORT_FILE,
    Workplace,
    build_graph,
    make_reference,
    open_trt,
    present_platform,
    stored_clips,
)
from parakeet_asr.engines.trt.plan_files import PlanError, Platform, find_plan, store_limits
from parakeet_asr.engines.trt.profiles import describe, plan_graphs, shape_ranges
from parakeet_asr.errors import ConfigurationError, EngineError
from parakeet_asr.model_directory import read_model_directory
from parakeet_asr_tools.precision.directory import convert_directory
from parakeet_asr_tools.precision.rule import Rule

Progress = Callable[[str], None]


def build_model(
    directory: Path,
    limits: MachineLimits,
    *,
    stream_weights: bool = False,
    force: bool = False,
    on_progress: Progress = lambda _: None,
) -> dict[str, Any]:
    """Build what is missing below ``directory/trt-<precision>`` and check it.

    Args:
        directory: a float32 model directory.
        limits: precision and sizes.
        stream_weights: let weights stay in host memory.
        force: build again what is there.
        on_progress: told what is being done.

    Returns:
        What ``build_report.json`` holds.

    Raises:
        ModelError: the directory cannot be used.
        EngineError: TensorRT is missing or cannot build a graph.
        ConfigurationError: the utterances are longer than the model's position table.
    """
    platform = present_platform()
    spec = read_model_directory(directory)
    most_s = spec.encoder.max_steps * spec.encoder.subsampling_factor / 100
    if limits.max_utterance_s > most_s:
        raise ConfigurationError(
            f"max_utterance_s: the model's positions go to {most_s:g} s, got {limits.max_utterance_s:g}"
        )
    place = Workplace(directory, spec, limits)
    _provide_graphs(place, on_progress)
    rows = {
        name: _provide(place, name, platform, stream_weights, force, on_progress)
        for name in plan_graphs(spec)
    }
    store_limits(place.plans, limits)
    on_progress("reference of ONNX Runtime")
    clips = stored_clips()
    make_reference(place, clips)
    report = {
        "model": spec.name,
        "platform": asdict(platform),
        "limits": asdict(limits),
        "shapes": {name: describe(shape_ranges(spec, name, limits)) for name in rows},
        "plans": rows,
        "peak_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "self_check": _self_check(place, platform, clips, on_progress),
    }
    (place.plans / REPORT_FILE).write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    return report


def _provide_graphs(place: Workplace, on_progress: Progress) -> None:
    """Graphs in the precision, unless they are those of this very model already."""
    precision = place.limits.precision
    if precision == "fp32":
        place.plans.mkdir(parents=True, exist_ok=True)
        return
    stamp = place.plans / "source.json"
    source = json.dumps({n: f.sha256 for n, f in sorted(place.spec.files.items())}, indent=2) + "\n"
    if stamp.is_file() and stamp.read_text("utf-8") == source:
        return
    convert_directory(place.directory, place.plans, Rule(low=precision), on_progress)
    stamp.write_text(source, "utf-8")


def _provide(
    place: Workplace,
    name: str,
    platform: Platform,
    stream_weights: bool,
    force: bool,
    on_progress: Progress,
) -> dict[str, Any]:
    if not force:
        try:
            plan = find_plan(place.plans, name, place.key(name, platform))
            size = len(plan.read())
        except PlanError:
            pass  # then it is built
        else:
            return {"plan": plan.path.name, "bytes": size, "build_s": 0.0, "reused": True}
    _, row = build_graph(place, name, platform, stream_weights=stream_weights, on_progress=on_progress)
    return row


def _self_check(
    place: Workplace, platform: Platform, clips: list[Any], on_progress: Progress
) -> dict[str, Any]:
    if not platform.gpu:
        return {
            "status": "pending",
            "reason": "no GPU answers here; it is done when the engine is first loaded",
        }
    on_progress("self-check")
    try:
        engine = open_trt(place.directory, place.spec, place.limits, rebuild=False, clips=clips)
    except EngineError as error:
        return {"status": "failed", "reason": str(error)}
    engine.close()
    outcome = json.loads((place.plans / "self_check.json").read_text("utf-8"))
    return {"status": "passed", **outcome}
