"""The seeded signal that references are made of: real speech, its order and levels chosen by the seed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from parakeet_asr.engines.trt.opening import stored_clips
from parakeet_asr.records import FloatArray
from parakeet_asr.sources.audio_file import read_audio

_PAUSE_SAMPLES = (1_600, 9_600)  # between two clips
_NOISE = 1e-3  # digital silence is not what microphones give
_LEVELS = (0.4, 1.0)


def speech_signal(samples: int, seed: int, audio: Sequence[Path] = ()) -> FloatArray:
    """[samples] float32 at 16 kHz: clips in random order with pauses, over a little noise.

    Args:
        samples: how long.
        seed: the same one gives the same signal; a longer one begins like a shorter one.
        audio: recordings to take; those of the package by default.

    Raises:
        AudioReadError: a recording cannot be decoded.
    """
    random, noise = np.random.default_rng([seed, 0]), np.random.default_rng([seed, 1])
    clips = [read_audio(path) for path in audio] or stored_clips()
    signal = (_NOISE * noise.standard_normal(samples)).astype(np.float32)
    at = 0
    while at < samples:
        clip = clips[int(random.integers(len(clips)))] * np.float32(random.uniform(*_LEVELS))
        part = clip[: samples - at]
        signal[at : at + len(part)] += part
        at += len(part) + int(random.integers(*_PAUSE_SAMPLES))
    # 16 bits, which is what the reference stores
    stored: FloatArray = np.rint(np.clip(signal, -1, 1) * 32767).astype(np.float32) / np.float32(32768)
    return stored
