"""The audio of a run: read once, then laid out so that every process reads the same samples."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from parakeet_asr.errors import ConfigurationError
from parakeet_asr.records import SAMPLE_RATE_HZ
from parakeet_asr.sources.audio_file import read_audio
from parakeet_asr_tools.benchmark.job import Clip

MANIFEST = "manifest.jsonl"

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Corpus:
    """Utterances with their texts, in one file of raw samples."""

    name: str
    pool: Path
    clips: list[Clip]

    @property
    def duration_s(self) -> float:
        """Seconds of audio."""
        return sum(clip.samples for clip in self.clips) / SAMPLE_RATE_HZ


def write_corpus(folder: Path, pool: Path, limit_s: float | None = None) -> Corpus:
    """Read the utterances of ``folder/manifest.jsonl`` and write their samples to ``pool``.

    Args:
        folder: holds the manifest (audio, text, set on each line) and the audio files.
        pool: file to write; raw float32 at 16 kHz, one utterance behind the other.
        limit_s: an even choice of utterances of at most so many seconds; all by default.

    Raises:
        ConfigurationError: there is no manifest, or it names nothing.
        AudioError: a file cannot be read.
    """
    manifest = folder / MANIFEST
    if not manifest.is_file():
        raise ConfigurationError(
            f"{manifest}: expected a list of utterances, found no such file; give a folder that has one "
            "with --speech"
        )
    rows = [json.loads(line) for line in manifest.read_text(encoding="utf-8").splitlines() if line.strip()]
    if limit_s is not None:
        rows = choose(rows, [float(row["duration_s"]) for row in rows], limit_s)
    if not rows:
        raise ConfigurationError(f"{manifest}: expected at least one utterance, found none")
    clips: list[Clip] = []
    offset_samples = 0
    with pool.open("wb") as file:
        for row in rows:
            samples = read_audio(folder / row["audio"])
            samples.tofile(file)
            name, group = row["audio"], row.get("set", "samples")
            clips.append(Clip(name, group, row["text"], offset_samples, len(samples)))
            offset_samples += len(samples)
    return Corpus(folder.name, pool, clips)


def choose(rows: Sequence[T], durations_s: Sequence[float], limit_s: float) -> list[T]:
    """Every n-th row, n the smallest with which the rest is no longer than ``limit_s``."""
    for stride in range(1, len(rows) + 1):
        if sum(durations_s[::stride]) <= limit_s:
            return list(rows[::stride])
    return list(rows[:1])
