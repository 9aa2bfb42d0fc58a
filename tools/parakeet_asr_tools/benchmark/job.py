"""What the orchestrator asks of a contender's process and what comes back: JSON both ways."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

Mode = Literal["accuracy", "cold", "features", "memory", "speed"]


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
    """One measurement, for one process."""

    contender: str
    mode: Mode
    model: str  # path of what this contender reads
    threads: int
    pool: str  # raw float32 samples at 16 kHz of all utterances, one behind the other
    clips: list[Clip]
    batch: int = 1

    def write(self, path: Path) -> None:
        """Write the job for the child to read."""
        path.write_text(json.dumps(asdict(self)), encoding="utf-8")

    @staticmethod
    def read(path: Path) -> Job:
        """Read what :meth:`write` wrote."""
        data: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return Job(**{**data, "clips": [Clip(**clip) for clip in data["clips"]]})


@dataclass(frozen=True, slots=True)
class Timing:
    """One timed pass over the audio, the model loaded and warm."""

    wall_s: float
    cpu_s: float  # of the whole process, all threads: cpu_s / wall_s is the number of cores used
    audio_s: float

    @property
    def rtfx(self) -> float:
        """Seconds of audio per second of time."""
        return self.audio_s / self.wall_s

    @property
    def cores(self) -> float:
        """Cores that were busy on average: shows whether everybody kept to the threads it was given."""
        return self.cpu_s / self.wall_s


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """What a contender heard."""

    text: str
    ids: list[int]


@dataclass(slots=True)
class Outcome:
    """What one process reports; fields that its mode does not measure stay empty."""

    versions: dict[str, str] = field(default_factory=dict)
    load_s: float = 0.0
    timing: Timing | None = None  # speed, features
    texts: list[str] = field(default_factory=list)  # speed: what the timed pass gave, in the clips' order
    hypotheses: list[Hypothesis] = field(default_factory=list)  # accuracy
    first_transcript_at_s: float = 0.0  # cold: CLOCK_MONOTONIC, the same clock in every process
    peak_resident_bytes: int = 0  # memory

    def to_json(self) -> str:
        """One line."""
        return json.dumps(asdict(self))

    @staticmethod
    def from_json(line: str) -> Outcome:
        """Read what :meth:`to_json` wrote."""
        data: dict[str, Any] = json.loads(line)
        data["timing"] = Timing(**data["timing"]) if data["timing"] else None
        data["hypotheses"] = [Hypothesis(**one) for one in data["hypotheses"]]
        return Outcome(**data)
