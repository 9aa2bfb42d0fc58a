"""What the model itself says about a seeded signal, chunk by chunk, in one small file.

Windows are slices of the features, and each chunk adds a few columns to the caches and pushes as many out; so
the features and what each chunk added are stored once, and everything else is put together again from them:
300 chunks of a full-size model take tens of megabytes instead of gigabytes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from parakeet_asr.core.features import FeatureExtractor
from parakeet_asr.core.model_spec import ModelSpec
from parakeet_asr.core.reading import read_object
from parakeet_asr.core.spectrum import HOP_SAMPLES
from parakeet_asr.engines.trt.engine import encoder_steps
from parakeet_asr.errors import ModelContractError
from parakeet_asr.records import FloatArray, IntArray
from parakeet_asr_tools.parity.contract import Tensors

Kind = Literal["cache_aware", "buffered"]


@dataclass(frozen=True, slots=True)
class Windows:
    """Buffered streaming: sizes in frames, rounded to encoder steps."""

    left: int
    chunk: int
    right: int


@dataclass(frozen=True, slots=True)
class Chunk:
    """One step of the reference."""

    inputs: Tensors
    outputs: Tensors
    first_step: int = (
        0  # of an engine's outputs that ``outputs`` holds: what was context before is not stored
    )


@dataclass(frozen=True, slots=True)
class Reference:
    """A signal and what the model says about it."""

    kind: Kind
    spec: ModelSpec
    features: FloatArray  # [mels, frames]; of the whole signal, cache-aware only
    samples: FloatArray  # [n]
    encoded: FloatArray  # [steps, d_model] of all chunks in a row
    steps: IntArray  # [chunks]
    channels: FloatArray  # [layers, steps, d_model] added to cache_last_channel; cache-aware only
    times: FloatArray  # [chunks, layers, d_model, kernel - 1] cache_last_time behind each chunk
    whole: FloatArray  # [steps, d_model] of one pass over the whole signal
    tokens: tuple[int, ...]  # committed over all chunks
    whole_tokens: tuple[int, ...]  # of the whole pass
    windows: Windows | None  # buffered only
    seed: int
    source: str  # what made it

    @property
    def chunks(self) -> int:
        """How many there are."""
        return len(self.steps)

    def save(self, path: Path) -> None:
        """Write one compressed file."""
        about = {
            "kind": self.kind,
            "spec": self.spec.to_json(),
            "seed": self.seed,
            "source": self.source,
            "windows": None
            if self.windows is None
            else [self.windows.left, self.windows.chunk, self.windows.right],
        }
        arrays: dict[str, Any] = {
            "features": self.features,
            "samples": np.rint(self.samples * 32768).astype(np.int16),
            "encoded": self.encoded,
            "steps": self.steps,
            "channels": self.channels,
            "times": self.times,
            "whole": self.whole,
            "tokens": np.array(self.tokens, np.int64),
            "whole_tokens": np.array(self.whole_tokens, np.int64),
        }
        np.savez_compressed(path, about=np.array(json.dumps(about)), **arrays)

    def iterate(self) -> Iterator[Chunk]:
        """All chunks with the inputs, caches included, that the model had."""
        return self._cache_aware_chunks() if self.kind == "cache_aware" else self._buffered_chunks()

    def _cache_aware_chunks(self) -> Iterator[Chunk]:
        streaming = self.spec.encoder.streaming
        left, at = streaming.left_context_steps, 0
        layers, _, d_model = self.channels.shape
        channel = np.zeros((1, layers, left, d_model), np.float32)
        time = np.zeros((1, *self.times.shape[1:]), np.float32)
        cached = 0
        for i, window, length in feature_windows(self.spec, self.features):
            steps = int(self.steps[i])
            inputs: Tensors = {
                "audio_signal": window,
                "length": np.array([length], np.int64),
                "cache_last_channel": channel,
                "cache_last_time": time,
                "cache_last_channel_len": np.array([cached], np.int64),
            }
            added = self.channels[
                None, :, i * streaming.valid_out_steps : (i + 1) * streaming.valid_out_steps
            ]
            channel = np.concatenate((channel, added), axis=2)[:, :, -left:]
            time = self.times[i : i + 1]
            cached = min(left, cached + streaming.valid_out_steps)
            yield Chunk(
                inputs,
                {
                    "outputs": self.encoded[at : at + steps].T[None],
                    "encoded_lengths": np.array([steps], np.int64),
                    "cache_last_channel_next": channel,
                    "cache_last_time_next": time,
                    "cache_last_channel_next_len": np.array([cached], np.int64),
                },
            )
            at += steps

    def _buffered_chunks(self) -> Iterator[Chunk]:
        at = 0
        extractor = FeatureExtractor(self.spec.features)
        assert self.windows is not None
        for i, (begin, chunk, stop) in enumerate(window_bounds(self.windows, self.chunks)):
            steps = int(self.steps[i])
            features = window_features(extractor, self.samples, begin, stop)
            frames = np.array([features.shape[2]], np.int64)
            yield Chunk(
                {"audio_signal": features, "length": frames},
                {
                    "outputs": self.encoded[at : at + steps].T[None],
                    "encoded_lengths": encoder_steps(self.spec, frames),
                },
                (chunk - begin) // self.spec.encoder.subsampling_factor,
            )
            at += steps


def load_reference(path: Path) -> Reference:
    """Read a reference.

    Raises:
        ModelContractError: it is none, or its caches were never filled.
    """
    try:
        with np.load(path, allow_pickle=False) as data:
            about = json.loads(str(data["about"]))
            windows = about["windows"]
            reference = Reference(
                kind=about["kind"],
                spec=read_object(ModelSpec, about["spec"], "reference"),
                features=data["features"],
                samples=data["samples"].astype(np.float32) / np.float32(32768),
                encoded=data["encoded"],
                steps=data["steps"],
                channels=data["channels"],
                times=data["times"],
                whole=data["whole"],
                tokens=tuple(data["tokens"].tolist()),
                whole_tokens=tuple(data["whole_tokens"].tolist()),
                windows=None if windows is None else Windows(*windows),
                seed=about["seed"],
                source=about["source"],
            )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelContractError(
            f"{path}: expected what 'parakeet-asr-tools reference' writes, got {error}"
        ) from error
    if reference.kind == "cache_aware" and not reference.channels.any():
        raise ModelContractError(
            f"{path}: the caches of this reference are empty in every chunk, so it remembers nothing and "
            "proves nothing; make it again"
        )
    return reference


def feature_windows(spec: ModelSpec, features: FloatArray) -> Iterator[tuple[int, FloatArray, int]]:
    """Index, window [1, mels, window] and valid columns of every chunk of a cache-aware model."""
    streaming = spec.encoder.streaming
    size = streaming.window_frames
    before, at, index = size - streaming.first_chunk_frames, 0, 0
    padded = np.concatenate((np.zeros((features.shape[0], size), np.float32), features), axis=1)
    while at < features.shape[1]:
        new = min(size - before, features.shape[1] - at)
        window = np.zeros((1, features.shape[0], size), np.float32)
        begin = size + at - before
        window[0, :, : before + new] = padded[:, begin : begin + before + new]
        yield index, window, before + new
        at, before, index = at + new, streaming.pre_encode_cache_frames, index + 1


def window_bounds(windows: Windows, chunks: int) -> Iterator[tuple[int, int, int]]:
    """First frame of the window, of its chunk, and the end, of every chunk."""
    for i in range(chunks):
        chunk = i * windows.chunk
        yield max(0, chunk - windows.left), chunk, chunk + windows.chunk + windows.right


def window_features(extractor: FeatureExtractor, samples: FloatArray, begin: int, stop: int) -> FloatArray:
    """[1, mels, frames] of a window of frames, normalised as the model wants it."""
    return extractor.extract(samples[begin * HOP_SAMPLES : stop * HOP_SAMPLES])[None]
