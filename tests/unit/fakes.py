"""Stand-ins at the seams: an engine that follows a script, a detector that hears loudness."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from parakeet_asr.core.engine import EncoderOutput, PredictorState, StepOutput
from parakeet_asr.core.model_spec import (
    DecoderSpec,
    EncoderSpec,
    FeatureSpec,
    FileSpec,
    GraphSpec,
    ModelSpec,
    SourceSpec,
    StreamingSpec,
)
from parakeet_asr.records import FloatArray, IntArray

PIECES = ("<unk>", "\u2581one", "\u2581two", "\u2581three", "\u2581four", "\u2581five", "ty", ".")
BLANK = len(PIECES)
DURATIONS = (0, 1, 2, 3, 4)


def model_spec(kind: str = "tdt") -> ModelSpec:
    """A contract for the scripted engine."""
    durations = DURATIONS if kind == "tdt" else ()
    return ModelSpec(
        format_version=1,
        name="scripted",
        language="en",
        licence="Apache-2.0",
        source=SourceSpec("none", "0", "tests"),
        features=FeatureSpec("nemo", 16, "none"),
        encoder=EncoderSpec(1, 3, 8, 5000, StreamingSpec("offline")),
        decoder=DecoderSpec(kind, len(PIECES), BLANK, durations, 3, 1, 1, 3),  # type: ignore[arg-type]
        tokenizer="tokenizer.model",
        graphs={name: GraphSpec(f"{name}.onnx", {}, {}) for name in ("encoder", "decoder_step")},
        files={f: FileSpec("0", 0) for f in ("encoder.onnx", "decoder_step.onnx", "tokenizer.model")},
    )


class PieceTokenizer:
    """PIECES without SentencePiece."""

    pieces = PIECES

    def encode(self, text: str) -> list[int]:
        """Whole words only."""
        return [PIECES.index("\u2581" + word) for word in text.split()]


class ScriptedEngine:
    """Every step of ``projected`` says which token it wants: [token, duration, follows_state].

    With ``follows_state`` the token also depends on how many tokens the predictor has consumed, so that
    a decoder that mixes up states is caught.
    """

    description = "scripted"

    def __init__(self, kind: str = "tdt") -> None:
        """Play a TDT or an RNNT model."""
        self.spec = model_spec(kind)
        self.calls = 0
        self.encoded_frames: list[list[int]] = []

    def encode(self, features: FloatArray, lengths: IntArray) -> EncoderOutput:
        """Loud steps want the token of their loudness, silent ones blank."""
        self.encoded_frames.append(lengths.tolist())
        steps = -(-features.shape[2] // 8)
        padded = np.pad(features, ((0, 0), (0, 0), (0, steps * 8 - features.shape[2])), constant_values=-16.6)
        level = padded.max(axis=1).reshape(len(features), steps, 8).mean(axis=2)
        token = np.where(level > -8.0, 1 + np.clip(np.round((level + 8) / 2).astype(int), 0, 4), BLANK)
        projected = np.stack([token, np.ones_like(token), np.zeros_like(token)], axis=2)
        return EncoderOutput(projected.astype(np.float32), -(-lengths // 8))

    def step(self, projected: FloatArray, tokens: IntArray, state: PredictorState) -> StepOutput:
        """Logits that make the script's wish win."""
        self.calls += 1
        batch, window, _ = projected.shape
        consumed = state.hidden[0, :, 0] + (tokens != BLANK)
        wish = projected.astype(np.int64)
        shift = (wish[:, :, 2] * consumed[:, None]).astype(np.int64)
        token = np.where(wish[:, :, 0] == BLANK, BLANK, (wish[:, :, 0] + shift) % len(PIECES))
        logits = np.zeros((batch, window, self.spec.decoder.logits_size), np.float32)
        np.put_along_axis(logits, token[:, :, None], 9.0, axis=2)
        if self.spec.decoder.durations:
            np.put_along_axis(logits, (BLANK + 1 + wish[:, :, 1])[:, :, None], 5.0, axis=2)
        hidden = state.hidden.copy()
        hidden[0, :, 0] = consumed
        return StepOutput(logits, replace(state, hidden=hidden))

    def close(self) -> None:
        """Nothing to free."""


class LoudnessDetector:
    """Speech is whatever is louder than -40 dB."""

    frame_samples = 512

    def probability(self, frame: FloatArray) -> float:
        """0 or 1."""
        return float(np.sqrt(np.mean(np.square(frame))) > 0.01)

    def reset(self) -> None:
        """No state."""


def tone(seconds: float, amplitude: float = 0.3) -> FloatArray:
    """A 440 Hz tone at 16 kHz."""
    t = np.arange(round(seconds * 16_000)) / 16_000
    return (amplitude * np.sin(2 * np.pi * 440 * t)).astype(np.float32)


def quiet(seconds: float) -> FloatArray:
    """Digital silence."""
    return np.zeros(round(seconds * 16_000), np.float32)
