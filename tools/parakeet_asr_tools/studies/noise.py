"""Sounds that are no speech, each with a root mean square of 1 before it gets its level."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from parakeet_asr.records import SAMPLE_RATE_HZ, FloatArray

Generator = np.random.Generator


def make(kind: str, seconds: float, level_db: float, seed: int = 0) -> FloatArray:
    """``seconds`` of a kind of noise at ``level_db`` (root mean square, full scale is 0 dB)."""
    sound = KINDS[kind](np.random.default_rng(seed), round(seconds * SAMPLE_RATE_HZ))
    sound = sound / np.sqrt(np.mean(np.square(sound)))
    return np.asarray(np.clip(sound * 10 ** (level_db / 20), -1.0, 1.0), np.float32)


def _coloured(rng: Generator, samples: int, exponent: float) -> FloatArray:
    """Noise whose power falls with frequency to the power of ``exponent``, from 20 Hz on."""
    spectrum = np.fft.rfft(rng.standard_normal(samples))
    frequency = np.fft.rfftfreq(samples, 1 / SAMPLE_RATE_HZ)
    shape = np.where(frequency < 20, 0.0, np.maximum(frequency, 20.0) ** (-exponent / 2))
    return np.asarray(np.fft.irfft(spectrum * shape, samples), np.float32)


def _band(rng: Generator, samples: int, low_hz: float, high_hz: float) -> FloatArray:
    spectrum = np.fft.rfft(rng.standard_normal(samples))
    frequency = np.fft.rfftfreq(samples, 1 / SAMPLE_RATE_HZ)
    return np.asarray(
        np.fft.irfft(spectrum * ((frequency >= low_hz) & (frequency <= high_hz)), samples), np.float32
    )


def _tones(samples: int, frequencies_hz: list[float], amplitudes: list[float]) -> FloatArray:
    time_s = np.arange(samples) / SAMPLE_RATE_HZ
    tones = zip(frequencies_hz, amplitudes, strict=True)
    return np.asarray(sum(a * np.sin(2 * np.pi * f * time_s) for f, a in tones), np.float32)


def _hum(rng: Generator, samples: int) -> FloatArray:
    """A transformer: 50 Hz with harmonics, and a little noise."""
    harmonics = list(range(1, 12))
    tones = _tones(samples, [50.0 * h for h in harmonics], [1.0 / h for h in harmonics])
    return tones + 0.01 * rng.standard_normal(samples).astype(np.float32)


def _fan(rng: Generator, samples: int) -> FloatArray:
    """Air below 2 kHz that swells slowly, and the blades' tone."""
    swell = 1 + 0.3 * _tones(samples, [0.4], [1.0])
    return swell * _coloured(rng, samples, 1.5) / 0.05 + _tones(samples, [120.0, 240.0], [0.3, 0.15])


def _events(
    rng: Generator, samples: int, gap_s: float, sound: Callable[[Generator], FloatArray]
) -> FloatArray:
    """Sounds at random times, ``gap_s`` apart on average, over a quiet floor."""
    out = (1e-3 * rng.standard_normal(samples)).astype(np.float32)
    at = 0
    while (at := at + round(rng.exponential(gap_s) * SAMPLE_RATE_HZ)) < samples:
        one = sound(rng)[: samples - at]
        out[at : at + len(one)] += one
    return out


def _click(rng: Generator) -> FloatArray:
    """A knock: a tone of 0.3 to 3 kHz that is gone after some 30 ms."""
    size = SAMPLE_RATE_HZ // 10
    decay = np.exp(-np.arange(size) / (0.01 * SAMPLE_RATE_HZ))
    return np.asarray(decay * _tones(size, [float(rng.uniform(300, 3000))], [1.0]), np.float32)


def _breath(rng: Generator) -> FloatArray:
    """Half a second to a second of air between 0.3 and 3 kHz, swelling and dying away."""
    size = round(float(rng.uniform(0.4, 1.0)) * SAMPLE_RATE_HZ)
    return np.asarray(np.hanning(size) * _band(rng, size, 300, 3000), np.float32)


def _chord(rng: Generator) -> FloatArray:
    """Three plucked strings with overtones for a second."""
    size = SAMPLE_RATE_HZ
    root_hz = float(220.0 * 2 ** (rng.integers(-12, 12) / 12))
    notes = [root_hz * ratio * overtone for ratio in (1, 1.26, 1.498) for overtone in (1, 2, 3, 4)]
    strengths = [1.0 / overtone for _ in range(3) for overtone in (1, 2, 3, 4)]
    envelope = np.exp(-np.arange(size) / (0.4 * SAMPLE_RATE_HZ))
    return np.asarray(envelope * _tones(size, notes, strengths), np.float32)


KINDS: dict[str, Callable[[Generator, int], FloatArray]] = {
    "white": lambda rng, n: rng.standard_normal(n).astype(np.float32),
    "pink": lambda rng, n: _coloured(rng, n, 1.0),
    "brown": lambda rng, n: _coloured(rng, n, 2.0),
    "hum": _hum,
    "fan": _fan,
    "clicks": lambda rng, n: _events(rng, n, 0.7, _click),
    "music": lambda rng, n: _events(rng, n, 0.5, _chord),
    "breaths": lambda rng, n: _events(rng, n, 2.5, _breath),
}
