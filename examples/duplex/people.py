"""What people say on the stage: recorded utterances, trimmed to the speech in them."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # the other examples

from acoustics import at_level
from parakeet_asr.loader import Model
from parakeet_asr.records import SAMPLE_RATE_HZ, FloatArray
from parakeet_asr.sources.audio_file import read_audio
from report import words

SAMPLES = Path(__file__).resolve().parent.parent / "samples"
LONGEST_S = 6.0


@dataclass(frozen=True, slots=True)
class Line:
    """One utterance of a person."""

    audio: str
    text: str
    samples: FloatArray  # [n] 16 kHz, at the level of a person at the microphone, speech from end to end


def read_lines(folder: Path = SAMPLES, speech_set: str = "") -> list[Line]:
    """The utterances of a folder with a ``manifest.jsonl``, at most LONGEST_S long.

    Args:
        folder: of rows with ``audio``, ``text``, ``duration_s``, and ``set`` where ``speech_set`` is given.
        speech_set: only those.
    """
    lines = (folder / "manifest.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines if line]
    return [
        Line(row["audio"], row["text"], at_level(trim(read_audio(folder / row["audio"]))))
        for row in rows
        if row["duration_s"] <= LONGEST_S and (not speech_set or row["set"] == speech_set)
    ]


def understood(lines: Sequence[Line], model: Model) -> list[Line]:
    """Those of which the model writes every word by itself: errors in a room are not the model's then."""
    silence = np.zeros(SAMPLE_RATE_HZ // 4, np.float32)
    return [
        line
        for line in lines
        if words(model.transcribe(np.concatenate([silence, line.samples, silence])).text) == words(line.text)
    ]


def trim(samples: FloatArray, floor_db: float = -35.0) -> FloatArray:
    """Without the silence before and after speech: its onset is where the level comes near that of speech."""
    frame = SAMPLE_RATE_HZ // 100
    whole = samples[: len(samples) // frame * frame].reshape(-1, frame)
    level = np.sqrt(np.mean(whole**2, axis=1))
    loud = np.flatnonzero(level > level.max() * 10.0 ** (floor_db / 20.0))
    return samples[loud[0] * frame : (loud[-1] + 1) * frame]
