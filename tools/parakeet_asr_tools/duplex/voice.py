"""The robot's voice: espeak-ng (apt install espeak-ng)."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np

from parakeet_asr.errors import ConfigurationError
from parakeet_asr.records import FloatArray
from parakeet_asr.sources.audio_file import read_audio

PROGRAM = "espeak-ng"
LEVEL = 0.05  # RMS where it speaks


def available() -> bool:
    """Whether the program is there."""
    return shutil.which(PROGRAM) is not None


def speak(text: str, voice: str = "en-us", words_per_minute: int = 165) -> FloatArray:
    """Speech of an RMS of LEVEL: [n] float32 at 16 kHz.

    Raises:
        ConfigurationError: the program is missing.
    """
    if not available():
        raise ConfigurationError(f"{PROGRAM} speaks for the robot and is missing: apt install {PROGRAM}")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "voice.wav"
        subprocess.run([PROGRAM, "-v", voice, "-s", str(words_per_minute), "-w", str(file), text], check=True)
        return at_level(read_audio(file))


def at_level(samples: FloatArray, level: float = LEVEL) -> FloatArray:
    """The same with an RMS of ``level`` where it is loud: pauses do not count."""
    loud = np.abs(samples) > 0.1 * np.abs(samples).max(initial=1e-9)
    rms = float(np.sqrt(np.mean(np.square(samples[loud]), dtype=np.float64))) if loud.any() else 1.0
    scaled: FloatArray = samples * np.float32(level * 2 / rms)  # loud samples have twice the level of all
    return scaled
