"""What the orchestrator asks of a contender's process and what comes back: JSON both ways."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

Mode = Literal["cold", "memory", "serve"]
Work = Literal["accuracy", "features", "speed", "stages"]


@dataclass(frozen=True, slots=True)
class Clip:
    """One utterance inside of the pool file."""

    audio: str  # its name, relative to the corpus
    set: str
    text: str  # what was said
    offset_samples: int
    samples: int


@dataclass(frozen=True, slots=True)
class Job:
    """What one process is for."""

    contender: str
    mode: Mode
    model: str  # path of what this contender reads
    threads: int
    pool: str  # raw float32 samples at 16 kHz of all utterances, one behind the other
    clips: list[Clip]

    def write(self, path: Path) -> None:
        """Write the job for the child to read."""
        path.write_text(json.dumps(asdict(self)), encoding="utf-8")

    @staticmethod
    def read(path: Path) -> Job:
        """Read what :meth:`write` wrote."""
        data: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return Job(**{**data, "clips": [Clip(**clip) for clip in data["clips"]]})


@dataclass(frozen=True, slots=True)
class Request:
    """One piece of work for a process that serves."""

    work: Work
    rows: list[int]  # of the job's clips
    batch: int = 1

    def to_json(self) -> str:
        """One line."""
        return json.dumps(asdict(self))

    @staticmethod
    def from_json(line: str) -> Request:
        """Read what :meth:`to_json` wrote."""
        return Request(**json.loads(line))


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """What a contender heard."""

    text: str
    ids: list[int]


@dataclass(slots=True)
class Answer:
    """What a process reports; what it was not asked for stays empty."""

    versions: dict[str, str] = field(default_factory=dict)  # the first answer of a process
    wall_s: float = 0.0  # speed, features
    cpu_s: float = 0.0  # of the whole process, all threads: cpu_s / wall_s is the number of cores used
    hypotheses: list[Hypothesis] = field(default_factory=list)  # accuracy, in the rows' order
    stages_s: dict[str, float] = field(default_factory=dict)  # stages: of one batch
    first_transcript_at_s: float = 0.0  # cold: CLOCK_MONOTONIC, the same clock in every process
    peak_resident_bytes: int = 0  # memory

    def to_json(self) -> str:
        """One line."""
        return json.dumps(asdict(self))

    @staticmethod
    def from_json(line: str) -> Answer:
        """Read what :meth:`to_json` wrote."""
        data: dict[str, Any] = json.loads(line)
        data["hypotheses"] = [Hypothesis(**one) for one in data["hypotheses"]]
        return Answer(**data)
