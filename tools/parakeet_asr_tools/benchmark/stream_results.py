"""What a run of ``bench-stream`` measured."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any


@dataclass(slots=True)
class Contended:
    """One contender with one window; one number per round."""

    name: str  # parakeet_asr or nemo
    batch: int
    audio_s: float  # per round
    cpu_s: list[float] = field(default_factory=list)
    wall_s: list[float] = field(default_factory=list)

    @property
    def cpu_per_audio(self) -> list[float]:
        """Seconds of processor per second of audio, one per round."""
        return [one / self.audio_s for one in self.cpu_s]


@dataclass(slots=True)
class WindowFigures:
    """One window, ours and NeMo's."""

    window: str
    wer_ours: float
    wer_nemo: float | None = None
    equal_ids: int | None = None  # utterances with NeMo's ids, token for token
    seam_errors: int = 0  # insertions and deletions within a second of a seam
    offline_errors: int = 0  # the same places, decoded whole
    contended: list[Contended] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class LiveFigures:
    """One profile played live; percentiles are [50, 95, 99]."""

    profile: str
    options: str  # what differs from the defaults
    interval_s: float
    silence_s: float
    wer_offline: float
    wer_final: float
    utterances: int
    identical: int
    first_partial_s: list[float]
    first_partial_audio_s: list[float]
    commit_s: list[float]
    final_s: list[float]
    final_audio_s: list[float]
    final_after_word_s: list[float]
    revision_rate: float
    stable_changed: int
    load: float


@dataclass(slots=True)
class StreamResults:
    """One run."""

    date: str
    machine: dict[str, str]
    model: str
    corpus: str
    utterances: int
    duration_s: float
    threads: int
    rounds: int
    timed_s: float
    wer_offline: float
    windows: list[WindowFigures]
    live: list[LiveFigures]
    versions: dict[str, dict[str, str]] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)

    def write(self, path: Path) -> None:
        """Write as JSON."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(asdict(self), indent=1) + "\n", encoding="utf-8")

    @staticmethod
    def read(path: Path) -> StreamResults:
        """Read what :meth:`write` wrote."""
        data: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        windows = [
            WindowFigures(**{**one, "contended": [Contended(**c) for c in one["contended"]]})
            for one in data["windows"]
        ]
        return StreamResults(**{**data, "windows": windows, "live": [LiveFigures(**x) for x in data["live"]]})
