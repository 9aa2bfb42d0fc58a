"""What a run measured, and its summary: medians, best values and ratios to the best peer."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any, Literal

from parakeet_asr_tools.benchmark.processes import OURS


@dataclass(slots=True)
class Measured:
    """Everything about one contender; one number per round."""

    name: str
    versions: dict[str, str] = field(default_factory=dict)
    rtfx_batch_1: list[float] = field(default_factory=list)
    rtfx_batch_16: list[float] = field(default_factory=list)
    cpu_rtfx_batch_1: list[float] = field(default_factory=list)  # per second of processor time
    cpu_rtfx_batch_16: list[float] = field(default_factory=list)
    features_samples_per_s: list[float] = field(default_factory=list)
    cold_start_s: list[float] = field(default_factory=list)
    peak_resident_bytes: list[float] = field(default_factory=list)
    cores: list[float] = field(default_factory=list)  # busy on average during the timed passes
    # at batch 1 and at batch 16
    wer: list[float] = field(default_factory=list)
    equal_utterances: list[float] = field(default_factory=list)  # share whose token ids are NeMo's, 0..1
    token_error_rate: list[float] = field(default_factory=list)  # against NeMo's token ids
    error: str = ""


@dataclass(slots=True)
class Results:
    """One run."""

    date: str
    machine: dict[str, str]
    threads: int
    rounds: int
    corpus: str
    utterances: int
    duration_s: float
    timed_s: float  # audio of one round of the speed measurements
    model: str
    reference: str  # where the token ids to agree with come from
    measured: list[Measured]
    skipped: dict[str, str]  # contender: reason

    def write(self, path: Path) -> None:
        """Write as JSON."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")

    @staticmethod
    def read(path: Path) -> Results:
        """Read what :meth:`write` wrote."""
        data: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return Results(**{**data, "measured": [Measured(**one) for one in data["measured"]]})


@dataclass(frozen=True, slots=True)
class Quantity:
    """One column, and what this project aims at."""

    title: str
    values: Callable[[Measured], Sequence[float]]
    better: Literal["higher", "lower"]
    scale: float  # from the stored unit to the printed one
    digits: int
    aim_ratio: float | None = None  # ours over the best peer's
    aim_value: float | None = None  # in the printed unit

    @property
    def has_aim(self) -> bool:
        """Whether anything is aimed at; the others are printed only."""
        return self.aim_ratio is not None or self.aim_value is not None

    def best(self, one: Measured) -> float | None:
        """The best round, in the printed unit; nothing when it was not measured."""
        values = self.values(one)
        if not values:
            return None
        return self.scale * (max(values) if self.better == "higher" else min(values))

    def middle(self, one: Measured) -> float | None:
        """The median round, in the printed unit."""
        values = self.values(one)
        return self.scale * median(values) if values else None


QUANTITIES = (
    Quantity("RTFx, batch 1", lambda m: m.rtfx_batch_1, "higher", 1.0, 0, aim_ratio=1.5),
    Quantity("RTFx, batch 16", lambda m: m.rtfx_batch_16, "higher", 1.0, 0, aim_ratio=1.5),
    Quantity("RTFx of processor time, batch 1", lambda m: m.cpu_rtfx_batch_1, "higher", 1.0, 0),
    Quantity("RTFx of processor time, batch 16", lambda m: m.cpu_rtfx_batch_16, "higher", 1.0, 0),
    Quantity(
        "features, million samples/s", lambda m: m.features_samples_per_s, "higher", 1e-6, 1, aim_ratio=2.0
    ),
    Quantity("cold start, s", lambda m: m.cold_start_s, "lower", 1.0, 2, aim_value=1.0),
    Quantity("peak memory, MB", lambda m: m.peak_resident_bytes, "lower", 1e-6, 0, aim_ratio=0.7),
)


@dataclass(frozen=True, slots=True)
class Verdict:
    """One aim and whether it was reached."""

    title: str
    ours: float
    aim: str
    ratio: float | None  # of the medians, ours over the best peer's
    peer: str
    reached: bool


def verdicts(results: Results) -> list[Verdict]:
    """Every aim that could be judged, on the medians of this run."""
    ours = next((one for one in results.measured if one.name == OURS), None)
    found = [] if ours is None else [_judge(q, ours, results.measured) for q in QUANTITIES]
    return [one for one in found if one is not None]


def _judge(quantity: Quantity, ours: Measured, everyone: Sequence[Measured]) -> Verdict | None:
    mine = quantity.middle(ours)
    if mine is None:
        return None
    higher = quantity.better == "higher"
    peers = [(value, one.name) for one in everyone if one.name != OURS and (value := quantity.middle(one))]
    best = (max if higher else min)(peers) if peers else None
    ratio = mine / best[0] if best else None
    if quantity.aim_value is not None:
        aim, reached = f"at most {quantity.aim_value:g}", mine <= quantity.aim_value
    elif quantity.aim_ratio is not None and ratio is not None:
        word = "at least" if higher else "at most"
        aim = f"{word} {quantity.aim_ratio:g} x the best peer"
        reached = ratio >= quantity.aim_ratio if higher else ratio <= quantity.aim_ratio
    else:
        return None
    return Verdict(quantity.title, mine, aim, ratio, best[1] if best else "", reached)
