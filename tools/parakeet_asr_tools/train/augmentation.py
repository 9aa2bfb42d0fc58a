"""Perturbations of sound, so that a model hears more voices, rooms and noise than its recordings have.

Everything is drawn from one generator per utterance and epoch: the same seed gives the same sounds, in
whatever order and process they are made.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import soxr
from numpy.typing import NDArray

from parakeet_asr.records import SAMPLE_RATE_HZ, FloatArray

Random = np.random.Generator
Others = Callable[[int], list[FloatArray]]
"""Gives so many other utterances, for babble."""


@dataclass(frozen=True, slots=True)
class Augmentation:
    """How often, and how much, of what; a probability of 0 turns a perturbation off."""

    speed: float = 0.5  # probability
    speed_range: tuple[float, float] = (0.9, 1.1)
    reverb: float = 0.2
    reverb_t60_s: tuple[float, float] = (0.1, 0.6)
    babble: float = 0.15
    babble_snr_db: tuple[float, float] = (5.0, 20.0)
    babble_voices: int = 4
    noise: float = 0.4
    noise_snr_db: tuple[float, float] = (5.0, 35.0)
    gain_db: tuple[float, float] = (-15.0, 5.0)
    vtlp: float = 0.5
    vtlp_range: tuple[float, float] = (0.9, 1.1)
    mel_blocks: int = 2  # SpecAugment
    mel_block_share: float = 0.2  # widest, of the axis
    time_blocks: int = 2
    time_block_share: float = 0.05

    @staticmethod
    def none() -> Augmentation:
        """Every utterance as it is."""
        return Augmentation(
            speed=0, reverb=0, babble=0, noise=0, gain_db=(0, 0), vtlp=0, mel_blocks=0, time_blocks=0
        )


def perturbed(samples: FloatArray, how: Augmentation, others: Others, random: Random) -> FloatArray:
    """Speed, room, other voices, noise and level, in the order in which a microphone meets them.

    Args:
        samples: [n] float32 at 16 kHz.
        how: the perturbations.
        others: other utterances of the manifest.
        random: decides everything.
    """
    if random.random() < how.speed:
        samples = resped(samples, random.uniform(*how.speed_range))
    if random.random() < how.reverb:
        samples = in_a_room(samples, random.uniform(*how.reverb_t60_s), random)
    if random.random() < how.babble:
        voices = babble(others(how.babble_voices), len(samples), random)
        samples = mixed(samples, voices, random.uniform(*how.babble_snr_db))
    if random.random() < how.noise:
        noise = coloured_noise(len(samples), random.uniform(0.0, 2.0), random)
        samples = mixed(samples, noise, random.uniform(*how.noise_snr_db))
    gain = 10.0 ** (random.uniform(*how.gain_db) / 20.0)
    return np.asarray(np.clip(samples * np.float32(gain), -1.0, 1.0), np.float32)


def warp_factor(how: Augmentation, random: Random) -> float:
    """Of the frequency axis, see :func:`parakeet_asr_tools.train.features.warped`."""
    return float(random.uniform(*how.vtlp_range)) if random.random() < how.vtlp else 1.0


def blocks(how: Augmentation, random: Random) -> FloatArray:
    """What SpecAugment hides: [n, 3] axis, first, end; see ``features.mask_blocks``."""
    rows = []
    for axis, count, widest in (
        (0, how.mel_blocks, how.mel_block_share),
        (1, how.time_blocks, how.time_block_share),
    ):
        for _ in range(count):
            width = random.uniform(0.0, widest)
            first = random.uniform(0.0, 1.0 - width)
            rows.append((axis, first, first + width))
    return np.array(rows, np.float32).reshape(-1, 3)


def resped(samples: FloatArray, factor: float) -> FloatArray:
    """Play faster (above 1) or slower, pitch and all."""
    fast: FloatArray = soxr.resample(samples, SAMPLE_RATE_HZ * factor, SAMPLE_RATE_HZ, quality="MQ")
    return fast


def in_a_room(samples: FloatArray, t60_s: float, random: Random) -> FloatArray:
    """Convolve with an impulse and a decaying noise behind it; level and length stay.

    Args:
        samples: [n].
        t60_s: time in which the room's answer falls by 60 dB.
        random: draws the room.
    """
    size = int(t60_s * SAMPLE_RATE_HZ)
    time = np.arange(size) / size
    answer = random.standard_normal(size) * 10.0 ** (-3.0 * time)
    answer[: int(0.002 * SAMPLE_RATE_HZ)] = 0.0  # the wall is not at the mouth
    answer *= 10.0 ** (random.uniform(-10.0, 0.0) / 20.0) / np.sqrt(np.square(answer).sum() + 1e-12)
    answer[0] = 1.0
    total = 1 << (len(samples) + size - 1).bit_length()
    wet = np.fft.irfft(np.fft.rfft(samples, total) * np.fft.rfft(answer, total), total)[: len(samples)]
    return np.asarray(wet * (_level(samples) / max(_level(wet), 1e-9)), np.float32)


def babble(voices: Sequence[FloatArray], size: int, random: Random) -> FloatArray:
    """Several voices at once, [size]; each begins somewhere and repeats."""
    total = np.zeros(size, np.float32)
    for voice in voices:
        if len(voice):
            start = int(random.integers(len(voice)))
            total += np.resize(np.roll(voice, -start), size) / max(_level(voice), 1e-9)
    return total


def coloured_noise(size: int, exponent: float, random: Random) -> FloatArray:
    """Noise whose power falls with ``frequency ** exponent``: 0 is white, 1 pink, 2 brown; [size]."""
    total = 1 << max(1, size - 1).bit_length()
    bins = total // 2 + 1
    spectrum = random.standard_normal(bins) + 1j * random.standard_normal(bins)
    frequency = np.maximum(np.arange(bins) * (SAMPLE_RATE_HZ / total), 50.0)
    noise = np.fft.irfft(spectrum * frequency ** (-exponent / 2.0), total)[:size]
    return np.asarray(noise, np.float32)


def mixed(samples: FloatArray, noise: FloatArray, snr_db: float) -> FloatArray:
    """Add noise at a signal-to-noise ratio; silence stays silent."""
    level = _level(noise)
    if level < 1e-9:
        return samples
    gain = _level(samples) / level * 10.0 ** (-snr_db / 20.0)
    return np.asarray(samples + noise * np.float32(gain), np.float32)


def _level(samples: NDArray[np.floating[Any]]) -> float:
    return float(np.sqrt(np.mean(np.square(samples, dtype=np.float64)))) if len(samples) else 0.0
