"""What ``bench-gpu`` measured, as JSON and as the table of docs/benchmarks.md."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

BEGIN, END = "<!-- gpu: begin -->", "<!-- gpu: end -->"
TITLES = {
    "parakeet_asr_gpu:torch": "parakeet_asr, engine torch",
    "parakeet_asr_gpu:torch-float32": "parakeet_asr, engine torch, float32",
    "parakeet_asr_gpu:torch-compiled": "parakeet_asr, engine torch, torch.compile",
    "parakeet_asr_gpu:ort": "parakeet_asr, engine ort, CUDA, float32",
    "nano_parakeet": "nano-parakeet, bfloat16",
    "nemo_gpu:float16": "NeMo, float16 autocast",
    "nemo_gpu:bfloat16": "NeMo, bfloat16",
}


@dataclass(slots=True)
class GpuMeasured:
    """One contender."""

    name: str
    versions: dict[str, str] = field(default_factory=dict)
    rtfx: dict[str, list[float]] = field(default_factory=dict)  # per batch, a value per round
    cold_s: list[float] = field(default_factory=list)
    stages_ms: dict[str, dict[str, float]] = field(default_factory=dict)  # per batch
    tokens: int = 0
    same_tokens: float | None = None  # share of utterances with the reference's tokens
    error: str = ""


@dataclass(slots=True)
class GpuResults:
    """A whole run."""

    date: str
    machine: dict[str, str]
    model: str
    utterances: int
    duration_s: float
    rounds: int
    reference: str  # whose tokens are compared with
    copy_tb_per_s: float
    float16_tflop_per_s: float
    floors_ms: dict[str, float]  # least time of the encoder per batch of the stages
    stage_audio_s: dict[str, float]  # per batch
    measured: list[GpuMeasured]
    skipped: dict[str, str]

    def write(self, path: Path) -> None:
        """As JSON."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(asdict(self), indent=1), encoding="utf-8")

    @staticmethod
    def read(path: Path) -> GpuResults:
        """Read what :meth:`write` wrote."""
        data: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return GpuResults(**{**data, "measured": [GpuMeasured(**one) for one in data["measured"]]})


def markdown(results: GpuResults) -> str:
    """The results as a section of a document."""
    return "\n".join([*_head(results), *_speed(results), "", *_stages(results), "", *_tail(results)])


def write_docs(results: GpuResults, document: Path) -> None:
    """Put the results between the two marks of ``document``."""
    text = document.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    document.write_text(f"{before}{BEGIN}\n\n{markdown(results)}\n\n{END}{after}", encoding="utf-8")


def _head(results: GpuResults) -> Iterator[str]:
    machine = "; ".join(f"{name}: {value}" for name, value in results.machine.items())
    yield (
        f"{results.date}: model {results.model}, {results.utterances} utterances, "
        f"{results.duration_s:.0f} s of audio, {results.rounds} rounds. Machine: {machine}."
    )
    yield ""


def _speed(results: GpuResults) -> Iterator[str]:
    batches = sorted({batch for one in results.measured for batch in one.rtfx}, key=int)
    titles = [f"RTFx, batch {batch}" for batch in batches]
    yield (
        "| | "
        + " | ".join(
            [
                *titles,
                "cold start, s",
                f"utterances with the tokens of {TITLES.get(results.reference, results.reference)}",
            ]
        )
        + " |"
    )
    yield "|---" * (len(titles) + 3) + "|"
    for one in results.measured:
        if one.error:
            continue
        cells = [_median_and_best(one.rtfx.get(batch, []), max, "{:.0f}") for batch in batches]
        cells.append(_median_and_best(one.cold_s, min, "{:.2f}"))
        cells.append("" if one.same_tokens is None else f"{100 * one.same_tokens:.1f} %")
        yield f"| {TITLES.get(one.name, one.name)} | " + " | ".join(cells) + " |"


def _stages(results: GpuResults) -> Iterator[str]:
    titles = ("Stages of one batch, ms", "batch", "audio, s", "features", "encoder", "decoder")
    yield "| " + " | ".join((*titles, "encoder over its floor")) + " |"
    yield "|---|---|---|---|---|---|---|"
    for one in results.measured:
        for batch, stages in one.stages_ms.items():
            encoder = stages.get("encoder", stages.get("features and encoder", 0.0))
            features = f"{stages['features']:.1f}" if "features" in stages else "in the encoder's"
            floor = results.floors_ms.get(batch)
            over = f"{encoder / floor:.1f}" if floor else ""
            yield (
                f"| {TITLES.get(one.name, one.name)} | {batch} | {results.stage_audio_s[batch]:.1f} | "
                f"{features} | {encoder:.1f} | {stages.get('decoder', 0.0):.1f} | {over} |"
            )


def _tail(results: GpuResults) -> Iterator[str]:
    floors = ", ".join(f"batch {batch}: {ms:.2f} ms" for batch, ms in results.floors_ms.items())
    yield (
        f"Roofline of this card, measured in the same run: {results.copy_tb_per_s:.2f} TB/s copied, "
        f"{results.float16_tflop_per_s:.0f} TFLOP/s in float16. The encoder's floor, the larger of its "
        f"products and of reading its weights once: {floors}."
    )
    for one in results.measured:
        versions = ", ".join(f"{name} {number}" for name, number in one.versions.items())
        yield f"- {TITLES.get(one.name, one.name)}: " + (
            f"failed: {one.error}" if one.error else f"{versions}; {one.tokens} tokens"
        )
    for name, reason in results.skipped.items():
        yield f"- {TITLES.get(name, name)} did not take part: {reason}"


def _median_and_best(values: list[float], best: Any, form: str) -> str:
    if not values:
        return ""
    return f"{form.format(statistics.median(values))} ({form.format(best(values))})"
