"""The recordings that studies listen to, one by one or joined into long ones."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from parakeet_asr.errors import ConfigurationError
from parakeet_asr.records import SAMPLE_RATE_HZ, FloatArray
from parakeet_asr.sources.audio_file import read_audio

FOLDERS = (Path("../shared/speech"), Path("examples/samples"))
ROOM_NOISE = 1e-4  # -80 dB: a quiet room, not digital silence


@dataclass(frozen=True, slots=True)
class Spoken:
    """One recording and what was said."""

    audio: str
    text: str
    samples: FloatArray  # [n] at 16 kHz


def speech_folder() -> Path:
    """The test speech where it is, else the samples."""
    return next((path for path in FOLDERS if path.is_dir()), FOLDERS[-1])


def read_speech(folder: Path | None = None, every: int = 1) -> list[Spoken]:
    """Every n-th recording of ``folder/manifest.jsonl``.

    Raises:
        ConfigurationError: there is no such list.
        AudioReadError: a file cannot be read.
    """
    folder = folder or speech_folder()
    manifest = folder / "manifest.jsonl"
    if not manifest.is_file():
        raise ConfigurationError(f"{manifest}: expected a list of recordings, found no such file")
    rows = [json.loads(line) for line in manifest.read_text(encoding="utf-8").splitlines() if line.strip()]
    return [Spoken(row["audio"], row["text"], read_audio(folder / row["audio"])) for row in rows[::every]]


def concatenate(
    spoken: Sequence[Spoken], seconds: float, pauses_s: tuple[float, float] = (0.0, 0.3), seed: int = 0
) -> Spoken:
    """Recordings in random order, in a quiet room, with short pauses, until ``seconds`` are full."""
    rng = np.random.default_rng(seed)
    parts: list[FloatArray] = []
    texts: list[str] = []
    left = round(seconds * SAMPLE_RATE_HZ)
    while left > 0:
        for row in rng.permutation(len(spoken)):
            parts += [spoken[row].samples, room(rng, float(rng.uniform(*pauses_s)))]
            texts.append(spoken[row].text)
            left -= len(parts[-1]) + len(parts[-2])
            if left <= 0:
                break
    return Spoken(f"{seconds / 60:g} minutes", " ".join(texts), np.concatenate(parts))


def room(rng: np.random.Generator, seconds: float, level: float = ROOM_NOISE) -> FloatArray:
    """Quiet white noise."""
    return np.asarray(level * rng.standard_normal(round(seconds * SAMPLE_RATE_HZ)), np.float32)
