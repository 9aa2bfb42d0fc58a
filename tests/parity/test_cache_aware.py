"""Cache-aware streaming against NeMo's own ``cache_aware_stream_step``: encoder output, caches, tokens.

A shorter run of 40 steps is kept as data (``make_cache_aware_data.py``), so that it is proven without NeMo;
200 steps and every kind of last chunk are run against the original NeMo by ``make parity``.
"""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

from made_models import cache_aware_archive, cache_aware_model, speech
from parakeet_asr import load_model
from parakeet_asr.core.cache_aware import CacheAwareStream
from parakeet_asr.core.features import FeatureExtractor
from parakeet_asr.model_directory import read_model_directory

DATA = Path(__file__).resolve().parents[1] / "data"
DECODERS = ("tdt", "rnnt")
TOLERANCE = 1e-4
HOP = 160
FRAMES = 9 + 38 * 16 + 5  # of the kept data
# One frame; a first chunk that is not whole, whole, and one frame more; last chunks of 3 and 7 frames, which
# NeMo's buffer throws away, and of 8 and 15, which it keeps; and 203 chunks.
LIVE_FRAMES = (1, 5, 9, 10, 9 + 16 * 3 + 3, 9 + 16 * 3 + 7, 9 + 16 * 3 + 8, 9 + 16 * 3 + 15, 9 + 16 * 201 + 5)
LIVE_TIMEOUT_S = 1800

Reference = dict[str, Any]


@pytest.fixture(params=DECODERS)
def decoder(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def signal(frames: int) -> np.ndarray:
    """Real speech, round and round; ends between two frames."""
    return np.resize(speech(), frames * HOP + 77)


@pytest.fixture
def kept(decoder: str) -> Reference:
    return dict(np.load(DATA / f"cache_aware_{decoder}.npz"))


def test_forty_steps_are_nemos(decoder: str, kept: Reference) -> None:
    samples = speech()[: FRAMES * HOP]
    assert len(kept["valid"]) == 40
    assert len(set(kept["tokens"].tolist())) > 10, "the made model must say something"
    check_graph(cache_aware_model(decoder), kept, samples)
    check_tokens(cache_aware_model(decoder), kept, samples)


def test_the_comparison_can_fail(decoder: str, kept: Reference) -> None:
    """Sound that is shifted by one frame has other steps."""
    with pytest.raises(AssertionError):
        check_graph(cache_aware_model(decoder), kept, speech()[HOP : (FRAMES + 1) * HOP])


def test_the_contract_has_nemos_numbers(decoder: str, kept: Reference) -> None:
    streaming = read_model_directory(cache_aware_model(decoder)).encoder.streaming
    for name in (
        "first_chunk_frames",
        "chunk_frames",
        "pre_encode_cache_frames",
        "drop_extra_pre_encoded_steps",
        "valid_out_steps",
        "left_context_steps",
    ):
        assert getattr(streaming, name) == kept[name], name
    assert kept["shift_frames"].tolist() == [streaming.first_chunk_frames, streaming.chunk_frames]


@pytest.mark.parity
def test_nemo_itself(decoder: str, nemo_python: Path, tmp_path: Path) -> None:
    """NeMo restores the made archive, and every step of ours is its."""
    paths = [tmp_path / f"{frames}.npy" for frames in LIVE_FRAMES]
    for path, frames in zip(paths, LIVE_FRAMES, strict=True):
        np.save(path, signal(frames))
    script = Path(__file__).with_name("nemo_stream_reference.py")
    command = [nemo_python, script, cache_aware_archive(decoder), tmp_path, *paths, "--caches"]
    done = subprocess.run(
        list(map(str, command)), capture_output=True, text=True, timeout=LIVE_TIMEOUT_S, check=False
    )
    assert done.returncode == 0, f"NeMo failed:\n{done.stderr[-3000:]}"
    for path in paths:
        reference, samples = dict(np.load(path.with_suffix(".npz"))), np.load(path)
        check_graph(cache_aware_model(decoder), reference, samples)
        check_tokens(cache_aware_model(decoder), reference, samples)
    assert len(reference["valid"]) > 200


def check_graph(directory: Path, reference: Reference, samples: np.ndarray) -> None:
    """The streaming graph and the whole pass, by NeMo's tensor names and nothing of our runtime."""
    spec = read_model_directory(directory)
    streaming = spec.encoder.streaming
    features = FeatureExtractor(spec.features).extract(samples)
    session = onnxruntime.InferenceSession(str(directory / "encoder_stream.onnx"))
    shapes = {node.name: [1, *node.shape[1:]] for node in session.get_inputs()}
    caches = {name: np.zeros(shapes[name], np.float32) for name in ("cache_last_channel", "cache_last_time")}
    cached, rows, position = np.zeros(1, np.int64), [], 0
    for step, valid in enumerate(reference["valid"]):
        new = streaming.chunk_frames if step else streaming.first_chunk_frames
        begin, end = position - streaming.window_frames + new, min(position + new, features.shape[1])
        window = np.zeros(shapes["audio_signal"], np.float32)
        window[0, :, max(0, -begin) : end - begin] = features[:, max(0, begin) : end]
        whole_chunk = end - position == new
        feeds = {"audio_signal": window, "length": np.array([end - begin]), "cache_last_channel_len": cached}
        names = [node.name for node in session.get_outputs()]
        out = dict(zip(names, session.run(names, feeds | caches), strict=True))
        assert out["encoded_lengths"].tolist() == [valid], step
        rows.append(out["outputs"][0, :, :valid].T)
        if whole_chunk:
            caches = {name: out[f"{name}_next"] for name in caches}
            cached = out["cache_last_channel_next_len"]
            assert cached.tolist() == [reference["cached"][step]], step
        position = end
    assert position == features.shape[1]
    np.testing.assert_allclose(np.concatenate(rows), reference["encoded"], atol=TOLERANCE, rtol=0)
    if "channel" in reference and cached[0]:
        for name, expected in (("cache_last_channel", "channel"), ("cache_last_time", "time")):
            np.testing.assert_allclose(caches[name], reference[expected], atol=TOLERANCE, rtol=0)
    encoder = onnxruntime.InferenceSession(str(directory / "encoder.onnx"))
    feeds = {"audio_signal": features[None], "length": np.array([features.shape[1]])}
    whole, steps = encoder.run(["outputs", "encoded_lengths"], feeds)
    assert steps.tolist() == [len(reference["whole"])]
    np.testing.assert_allclose(whole[0].T, reference["whole"], atol=TOLERANCE, rtol=0)
    np.testing.assert_allclose(np.concatenate(rows), whole[0].T, atol=TOLERANCE, rtol=0)


def check_tokens(directory: Path, reference: Reference, samples: np.ndarray) -> None:
    """The runtime's stream, chunk by chunk, and ``transcribe``."""
    with load_model(directory, threads=1, guard=None) as model:
        stream = CacheAwareStream(model.recognizer, lambda start, stop: samples[start:stop])
        behind = [
            [token.id for token in stream.committed]
            for available in range(HOP, len(samples), HOP)
            if stream.advance(available) is not None
        ]
        before = len(behind)
        stream.flush(len(samples))
        ids = [token.id for token in stream.committed]
        counts = reference["counts"].tolist()
        assert behind == [ids[:count] for count in counts[:before]]
        assert ids == reference["tokens"].tolist() == reference["whole_tokens"].tolist()
        assert model.transcribe(samples).token_ids == ids
