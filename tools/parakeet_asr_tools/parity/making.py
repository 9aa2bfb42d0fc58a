"""References made by the PyTorch modules, which are NeMo's (tests/export/test_nemo_encoder.py)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch

from parakeet_asr.core.decoding import DecoderState, GreedyDecoder, initial_state
from parakeet_asr.core.engine import EncoderOutput
from parakeet_asr.core.features import FeatureExtractor
from parakeet_asr.core.spectrum import HOP_SAMPLES
from parakeet_asr.engines.pytorch.engine import TorchEngine
from parakeet_asr.engines.pytorch.loading import load_archive
from parakeet_asr.records import FloatArray
from parakeet_asr_tools.parity.reference import (
    Reference,
    Windows,
    feature_windows,
    window_bounds,
    window_features,
)
from parakeet_asr_tools.parity.signals import speech_signal

DEFAULT_WINDOWS = Windows(left=1000, chunk=64, right=136)  # the node's: 10, 0.64 and 1.36 s

Progress = Callable[[str], None]


def make_reference(
    nemo: Path,
    chunks: int,
    seed: int,
    audio: Sequence[Path] = (),
    on_progress: Progress = lambda _: None,
) -> Reference:
    """Run a model over a seeded signal of so many chunks.

    Raises:
        ArchiveError: the archive cannot be used.
        AudioReadError: a recording cannot be decoded.
    """
    on_progress("reading the archive")
    engine = load_archive(nemo, "cpu", "float32", None).engine
    is_cache_aware = engine.spec.encoder.streaming.kind == "cache_aware"
    make = _cache_aware if is_cache_aware else _buffered
    with torch.inference_mode():
        return make(engine, chunks, seed, audio, on_progress, f"torch {torch.__version__} of {nemo.name}")


def _cache_aware(
    engine: TorchEngine, chunks: int, seed: int, audio: Sequence[Path], report: Progress, source: str
) -> Reference:
    spec, encoder = engine.spec, engine.model.encoder
    streaming = spec.encoder.streaming
    # the last chunk is not whole: an end, too
    frames = (
        streaming.first_chunk_frames + (chunks - 1) * streaming.chunk_frames - streaming.chunk_frames // 2
    )
    samples = speech_signal(frames * HOP_SAMPLES, seed, audio)
    features = FeatureExtractor(spec.features).extract(samples)
    caches = encoder.initial_caches(1)
    decoder, state = GreedyDecoder(engine), initial_state(spec.decoder)
    encoded, steps, channels, times, tokens = [], [], [], [], []
    for i, window, length in feature_windows(spec, features):
        report(f"chunk {i + 1} of {chunks}")
        outputs, valid, caches = encoder.step(torch.from_numpy(window), torch.tensor([length]), caches)
        count = int(valid[0])
        state, ids = _decoded(engine, decoder, outputs[:, :, :count], state)
        encoded.append(outputs[0, :, :count].T.numpy())
        steps.append(count)
        tokens += ids
        channels.append(caches.channel[0, :, -streaming.valid_out_steps :].numpy())
        times.append(caches.time[0].numpy())
    whole, whole_tokens = _whole(engine, features)
    return Reference(
        kind="cache_aware",
        spec=spec,
        features=features,
        samples=samples,
        encoded=np.concatenate(encoded),
        steps=np.array(steps, np.int64),
        channels=np.concatenate(channels, axis=1),
        times=np.stack(times),
        whole=whole,
        tokens=tuple(tokens),
        whole_tokens=whole_tokens,
        windows=None,
        seed=seed,
        source=source,
    )


def _buffered(
    engine: TorchEngine, chunks: int, seed: int, audio: Sequence[Path], report: Progress, source: str
) -> Reference:
    spec, windows, factor = engine.spec, DEFAULT_WINDOWS, engine.spec.encoder.subsampling_factor
    samples = speech_signal((chunks * windows.chunk + windows.right) * HOP_SAMPLES, seed, audio)
    extractor = FeatureExtractor(spec.features)
    decoder, state = GreedyDecoder(engine), initial_state(spec.decoder)
    encoded, steps, tokens = [], [], []
    for i, (begin, chunk, stop) in enumerate(window_bounds(windows, chunks)):
        report(f"chunk {i + 1} of {chunks}")
        features = window_features(extractor, samples, begin, stop)
        outputs, _ = engine.model.encoder(torch.from_numpy(features), torch.tensor([features.shape[2]]))
        first = (chunk - begin) // factor
        own = outputs[:, :, first : first + windows.chunk // factor]
        state, ids = _decoded(engine, decoder, own, state)
        encoded.append(own[0].T.numpy())
        steps.append(own.shape[2])
        tokens += ids
    report("the whole signal")
    # what is committed reaches to the end of the last chunk
    covered = samples[: chunks * windows.chunk * HOP_SAMPLES]
    whole, whole_tokens = _whole(engine, extractor.extract(covered))
    return Reference(
        kind="buffered",
        spec=spec,
        features=np.zeros((0, 0), np.float32),
        samples=samples,
        encoded=np.concatenate(encoded),
        steps=np.array(steps, np.int64),
        channels=np.zeros((0, 0, 0), np.float32),
        times=np.zeros((0, 0, 0, 0), np.float32),
        whole=whole,
        tokens=tuple(tokens),
        whole_tokens=whole_tokens,
        windows=windows,
        seed=seed,
        source=source,
    )


@torch.inference_mode()
def whole_pass(engine: TorchEngine, samples: FloatArray) -> tuple[FloatArray, tuple[int, ...]]:
    """[steps, d_model] of the encoder and the tokens of one pass over a recording."""
    return _whole(engine, FeatureExtractor(engine.spec.features).extract(samples))


def _decoded(
    engine: TorchEngine, decoder: GreedyDecoder, outputs: torch.Tensor, state: DecoderState
) -> tuple[DecoderState, list[int]]:
    projected = engine.model.joint.enc(outputs.transpose(1, 2)).numpy()
    lengths = np.array([projected.shape[1]], np.int64)
    (decoded,) = decoder.decode(EncoderOutput(projected, lengths), [state])
    return decoded.state, [token.id for token in decoded.tokens]


def _whole(engine: TorchEngine, features: FloatArray) -> tuple[FloatArray, tuple[int, ...]]:
    """[steps, d_model] and tokens of one pass."""
    outputs, steps = engine.model.encoder(torch.from_numpy(features[None]), torch.tensor([features.shape[1]]))
    outputs = outputs[:, :, : int(steps[0])]
    _, ids = _decoded(engine, GreedyDecoder(engine), outputs, initial_state(engine.spec.decoder))
    return outputs[0].T.numpy(), tuple(ids)
