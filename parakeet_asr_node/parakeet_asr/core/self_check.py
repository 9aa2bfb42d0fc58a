"""An engine against a reference, on stored speech: proven before it is trusted.

An engine can be silently wrong: it builds, it runs, and its encoder has nothing to do with the model
(NVIDIA/TensorRT issue 4822: cosine 0.35, empty text). So each stage is compared, and the tokens.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from parakeet_asr.core.decoding import GreedyDecoder, initial_state
from parakeet_asr.core.edit_distance import edit_distance
from parakeet_asr.core.engine import EncoderOutput, Engine
from parakeet_asr.core.features import FeatureExtractor
from parakeet_asr.records import FloatArray, IntArray

ENCODER, DECODER, STREAM = "encoder", "decoder_step", "encoder_stream"
_MAX_STEPS_COMPARED = 64  # of the decoder, per clip: teacher forcing with the reference's tokens


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Below these an engine is not used."""

    cosine: float = 0.999  # of every stage
    tokens: float = 0.995  # share of the reference's that need no edit


THRESHOLDS = {
    "fp32": Thresholds(cosine=0.99999, tokens=0.995),
    "fp16": Thresholds(),
    "bf16": Thresholds(cosine=0.99, tokens=0.98),
}


@dataclass(frozen=True, slots=True)
class Answers:
    """What an engine says about some clips."""

    stages: dict[str, FloatArray]  # one vector per stage, all clips in a row
    steps: IntArray  # valid encoder steps per clip
    tokens: tuple[tuple[int, ...], ...]


@dataclass(frozen=True, slots=True)
class StageReport:
    """One stage beside the reference's."""

    cosine: float
    largest_error: float
    not_finite: int


@dataclass(frozen=True, slots=True)
class SelfCheckReport:
    """The outcome."""

    stages: dict[str, StageReport]
    token_agreement: float
    reference_tokens: int
    failures: tuple[str, ...]  # empty: the engine may be used

    @property
    def passed(self) -> bool:
        """Whether the engine may be used."""
        return not self.failures

    def to_json(self) -> dict[str, Any]:
        """For reports."""
        return {"passed": self.passed, **asdict(self)}


def listen(engine: Engine, clips: Sequence[FloatArray], forced: Answers | None = None) -> Answers:
    """Run every stage of an engine over clips.

    Args:
        engine: any.
        clips: samples at 16 kHz.
        forced: the reference's answers, when this engine is compared with one: its decoder is then fed
            the reference's tokens, so that one early difference does not make all later ones.
    """
    extractor = FeatureExtractor(engine.spec.features)
    decoder = GreedyDecoder(engine)
    encoded_parts: list[FloatArray] = []
    decoded_parts: list[FloatArray] = []
    stream_parts: list[FloatArray] = []
    steps, tokens = [], []
    for i, clip in enumerate(clips):
        features = extractor.extract(clip)[None]
        encoded = engine.encode(features, np.array([features.shape[2]], np.int64))
        valid = int(encoded.lengths[0])
        encoded = EncoderOutput(encoded.projected[:, :valid].copy(), encoded.lengths.copy())
        ids = tuple(token.id for token in decoder.decode(encoded)[0].tokens)
        encoded_parts.append(encoded.projected.ravel())
        steps.append(valid)
        tokens.append(ids)
        decoded_parts += _forced_logits(engine, encoded.projected, forced.tokens[i] if forced else ids)
        if engine.spec.encoder.streaming.kind == "cache_aware":
            stream_parts += _streamed(engine, features[0])
    stages = {ENCODER: np.concatenate(encoded_parts), DECODER: np.concatenate(decoded_parts)}
    if stream_parts:
        stages[STREAM] = np.concatenate(stream_parts)
    return Answers(stages, np.array(steps, np.int64), tuple(tokens))


def judge(reference: Answers, answers: Answers, thresholds: Thresholds) -> SelfCheckReport:
    """Compare an engine's answers with the reference's."""
    failures = []
    stages = {}
    if not np.array_equal(reference.steps, answers.steps):
        failures.append(f"encoder steps: expected {reference.steps.tolist()}, got {answers.steps.tolist()}")
    for name, expected in reference.stages.items():
        got = answers.stages.get(name, np.zeros(0, np.float32))
        if got.shape != expected.shape:
            failures.append(f"{name}: expected {expected.size} values, got {got.size}")
            continue
        stages[name] = stage = _stage(expected, got)
        if stage.not_finite:
            failures.append(f"{name}: {stage.not_finite} values are no numbers")
        elif stage.cosine < thresholds.cosine:
            failures.append(f"{name}: cosine {stage.cosine:.5f}, at least {thresholds.cosine} is needed")
    total = sum(map(len, reference.tokens))
    pairs = zip(reference.tokens, answers.tokens, strict=True)
    agreement = 1.0 - sum(edit_distance(a, b) for a, b in pairs) / max(1, total)
    if agreement < thresholds.tokens:
        failures.append(
            f"tokens: {100 * agreement:.1f} % agree, at least {100 * thresholds.tokens:.1f} % are needed"
        )
    return SelfCheckReport(stages, agreement, total, tuple(failures))


def _stage(expected: FloatArray, got: FloatArray) -> StageReport:
    bad = int(np.count_nonzero(~np.isfinite(got)))
    if bad:
        return StageReport(0.0, float("inf"), bad)
    x, y = expected.astype(np.float64), got.astype(np.float64)
    norms = float(np.linalg.norm(x) * np.linalg.norm(y))
    cosine = float(x @ y) / norms if norms else float(not x.any() and not y.any())
    return StageReport(cosine, float(np.abs(x - y).max(initial=0.0)), 0)


def _forced_logits(engine: Engine, projected: FloatArray, tokens: Sequence[int]) -> Iterator[FloatArray]:
    """The decoder's answers along given tokens, at evenly spread steps."""
    spec = engine.spec.decoder
    state = initial_state(spec).predictor
    fed = [spec.blank_id, *tokens][:_MAX_STEPS_COMPARED]
    last = max(0, projected.shape[1] - 1)
    for i, token in enumerate(fed):
        at = last * i // len(fed)
        output = engine.step(projected[:, at : at + 1], np.array([token], np.int64), state)
        state = output.state
        yield output.logits.ravel().copy()


def _streamed(engine: Engine, features: FloatArray) -> Iterator[FloatArray]:
    """What a cache-aware encoder gives chunk by chunk; features [mels, frames]."""
    spec = engine.spec.encoder.streaming
    stream = engine.open_stream()
    window = np.zeros((1, features.shape[0], spec.window_frames), np.float32)
    before, at = spec.window_frames - spec.first_chunk_frames, 0
    while at < features.shape[1]:
        new = features[:, at : at + spec.window_frames - before]
        window[0, :, before : before + new.shape[1]] = new
        output = stream.step(window, before + new.shape[1])
        yield output.projected[0, : int(output.lengths[0])].ravel().copy()
        at += new.shape[1]
        before = spec.pre_encode_cache_frames
        window[:, :, :before] = window[:, :, -before:].copy()
