"""Which shapes the graphs of a model are built for: one dynamic profile each (docs/engines.md says why)."""

from __future__ import annotations

from dataclasses import dataclass

from parakeet_asr.core.model_spec import STREAMING_GRAPH, ModelSpec
from parakeet_asr.engines.trt.limits import MachineLimits

MIN_FRAMES = 8  # one encoder step; shorter audio is padded to it
TYPICAL_FRAMES = 1200  # the window of buffered streaming in its steady state, 10 + 0.64 + 1.36 s
DECODER_WINDOW_STEPS = 8  # what the greedy decoder joins at once, core.decoding.default_window_steps

Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ShapeRange:
    """What an input of a plan may be."""

    least: Shape
    typical: Shape  # kernels are chosen for this one
    most: Shape

    def contains(self, shape: Shape) -> bool:
        """Whether the plan takes such an input."""
        return len(shape) == len(self.least) and all(
            low <= n <= high for low, n, high in zip(self.least, shape, self.most, strict=True)
        )


def shape_ranges(spec: ModelSpec, graph: str, limits: MachineLimits) -> dict[str, ShapeRange]:
    """Every input of a graph with the shapes that it is built for."""
    return {
        name: ShapeRange(*(_shape(tensor.shape, sizes) for sizes in _sizes(graph, limits)))
        for name, tensor in spec.graphs[graph].inputs.items()
    }


def describe(ranges: dict[str, ShapeRange]) -> str:
    """For the key of a plan, and for people."""

    def text(shape: Shape) -> str:
        return "x".join(map(str, shape))

    return "; ".join(f"{n} {text(r.least)}..{text(r.typical)}..{text(r.most)}" for n, r in ranges.items())


def plan_graphs(spec: ModelSpec) -> tuple[str, ...]:
    """The graphs that an engine runs."""
    streams = spec.encoder.streaming.kind == "cache_aware"
    return ("encoder", STREAMING_GRAPH, "decoder_step") if streams else ("encoder", "decoder_step")


def _sizes(graph: str, limits: MachineLimits) -> tuple[dict[str, int], dict[str, int], dict[str, int]]:
    batch = limits.max_batch
    if graph == STREAMING_GRAPH:
        return {"batch": 1}, {"batch": 1}, {"batch": 1}  # a stream is one signal
    if graph == "encoder":
        most = limits.max_frames
        return (
            {"batch": 1, "frames": MIN_FRAMES},
            {"batch": 1, "frames": min(TYPICAL_FRAMES, most)},
            {"batch": batch, "frames": most},
        )
    window = DECODER_WINDOW_STEPS
    return {"batch": 1, "window": 1}, {"batch": 1, "window": window}, {"batch": batch, "window": window}


def _shape(dimensions: tuple[int | str, ...], sizes: dict[str, int]) -> Shape:
    return tuple(d if isinstance(d, int) else sizes[d] for d in dimensions)
