"""Make a random transducer talk at the pace of speech.

A random joint network either never says blank or says nothing else, and then decoding costs nothing
like it does on speech. So its output bias is set by decoding synthetic sound with the runtime's own decoder:

1. the mean score of every piece and duration is taken away, so that all of them win now and then, and
   duration 0 is held down by three deviations (a trained model hardly uses it);
2. the blank's bias is found by bisection on the tokens per second.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from parakeet_asr.core.decoding import GreedyDecoder
from parakeet_asr.core.engine import EncoderOutput, PredictorState
from parakeet_asr.core.features import FeatureExtractor
from parakeet_asr.engines.pytorch.engine import TorchEngine
from parakeet_asr.engines.pytorch.model.transducer import Transducer
from parakeet_asr.errors import ModelError
from parakeet_asr.records import SAMPLE_RATE_HZ, FloatArray

TOKENS_PER_S = (2.0, 5.0)
TARGET_TOKENS_PER_S = 3.5
_SECONDS = 16
_ZERO_HOLD_DEVIATIONS = 3.0
_BISECTIONS = 24


def synthetic_sound(seconds: float, seed: int) -> FloatArray:
    """Tones that glide and swell like syllables in noise, [n] float32 at 16 kHz."""
    random = np.random.default_rng(seed)
    time_s = np.arange(int(seconds * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    sound = 0.01 * random.standard_normal(time_s.size)
    for harmonic in range(1, 12):
        pitch_hz = 140 * harmonic * (1 + 0.15 * np.sin(2 * np.pi * 0.7 * time_s + random.uniform(0, 6)))
        swell = np.maximum(0, np.sin(2 * np.pi * random.uniform(1.5, 4.5) * time_s + random.uniform(0, 6)))
        sound += 0.2 / harmonic * swell * np.sin(2 * np.pi * np.cumsum(pitch_hz) / SAMPLE_RATE_HZ)
    return np.asarray(0.5 * sound / np.abs(sound).max(), np.float32)


@dataclass(frozen=True, slots=True)
class Calibration:
    """What was set and what came of it."""

    blank_bias: float
    tokens_per_s: float


def calibrate(model: Transducer, seed: int) -> Calibration:
    """Set the bias of the joint's output layer in place.

    Raises:
        ModelError: no bias gives a pace between :data:`TOKENS_PER_S` (another seed will).
    """
    engine = TorchEngine(model)
    features = FeatureExtractor(engine.spec.features).extract(synthetic_sound(_SECONDS, seed))
    encoded = engine.encode(features[None], np.array([features.shape[1]], np.int64))
    bias, blank = model.joint.output.bias, model.config.vocabulary_size
    bias.zero_()
    logits = _sample_logits(engine, encoded, seed)
    bias[:] = torch.from_numpy(-logits.mean(axis=0))
    for i, duration in enumerate(model.config.durations):
        if duration == 0:
            bias[blank + 1 + i] -= _ZERO_HOLD_DEVIATIONS * float(logits[:, blank + 1 + i].std())
    bias.copy_(bias.half())  # so that float16 storage still loses nothing
    bias[blank] = 0.0
    logits += bias.numpy()
    margin = logits[:, :blank].max(axis=1) - logits[:, blank]
    span = float(np.ptp(margin)) + 1e-3
    return _bisect(engine, encoded, float(margin.min()) - span, float(margin.max()) + span)


def _bisect(engine: TorchEngine, encoded: EncoderOutput, low: float, high: float) -> Calibration:
    """A higher bias gives fewer tokens. The pace has steps, so the nearest that was seen wins."""
    decoder, bias = GreedyDecoder(engine), engine.model.joint.output.bias
    tried: list[Calibration] = []
    for _ in range(_BISECTIONS):
        middle = float(np.float16((low + high) / 2))
        bias[engine.spec.decoder.blank_id] = middle
        pace = len(decoder.decode(encoded)[0].tokens) / _SECONDS
        tried.append(Calibration(middle, pace))
        low, high = (middle, high) if pace > TARGET_TOKENS_PER_S else (low, middle)
    best = min(tried, key=lambda one: abs(one.tokens_per_s - TARGET_TOKENS_PER_S))
    bias[engine.spec.decoder.blank_id] = best.blank_bias
    if not TOKENS_PER_S[0] <= best.tokens_per_s <= TOKENS_PER_S[1]:
        raise ModelError(
            f"random weights: expected {TOKENS_PER_S[0]} to {TOKENS_PER_S[1]} tokens per second, "
            f"came to {best.tokens_per_s:.2f}; choose another --seed"
        )
    return best


def _sample_logits(engine: TorchEngine, encoded: EncoderOutput, seed: int) -> FloatArray:
    """[n, logits] over every step, after a few random histories."""
    spec = engine.spec.decoder
    zeros = np.zeros((spec.predictor_layers, 1, spec.predictor_hidden), np.float32)
    state, random, rows = PredictorState(zeros, zeros), np.random.default_rng(seed), []
    for token in [spec.blank_id, *random.integers(0, spec.vocabulary_size, 7).tolist()]:
        output = engine.step(encoded.projected, np.array([token], np.int64), state)
        state = output.state
        rows.append(output.logits[0])
    return np.concatenate(rows)
