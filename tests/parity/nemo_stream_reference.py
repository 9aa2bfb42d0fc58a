"""What the original NeMo's cache-aware streaming makes of a signal, step by step; imports nothing of ours.

    nemo_stream_reference.py MODEL.nemo OUT_DIR SAMPLES.npy... [--caches]

SAMPLES.npy: [n] float32 at 16 kHz; each gives OUT_DIR/SAMPLES.npz. Runs ``CacheAwareStreamingAudioBuffer``
over the features of exactly the valid frames (n // 160) and ``conformer_stream_step`` on every chunk, as
NeMo's own streaming script does, with `greedy_batch` on the CPU and dither 0. When fewer than 8 frames are
left, which the buffer throws away, one more step is run with them, so that all of the signal is covered.

SAMPLES.npz: ``encoded`` [steps, d_model] of all chunks in a row, ``valid`` [chunks] steps of each, ``frames``
[chunks] columns of each input, ``cached`` [chunks] cache_last_channel_len behind each, ``tokens`` all ids,
``counts`` [chunks] how many of them were there behind each chunk, ``whole`` [steps, d_model] the encoder's
output for the whole signal, ``whole_tokens``, ``first_chunk_frames``, ``chunk_frames``, ... as
``setup_streaming_params`` set them. With --caches, also ``channel`` and ``time``: both caches behind the
last whole chunk, in the layout of NeMo's export (batch first).
"""

from __future__ import annotations

import argparse
import logging
from pathlib import Path
from typing import Any

import numpy as np
import torch
from nemo.collections.asr.models import ASRModel
from nemo.collections.asr.parts.utils.streaming_utils import CacheAwareStreamingAudioBuffer
from nemo.utils import logging as nemo_logging


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("out_dir", type=Path)
    parser.add_argument("samples", type=Path, nargs="+")
    parser.add_argument("--caches", action="store_true")
    arguments = parser.parse_args()
    nemo_logging.setLevel(logging.ERROR)
    torch.set_num_threads(1)
    model = ASRModel.restore_from(str(arguments.model), map_location="cpu").eval()
    model.preprocessor.featurizer.dither = 0.0
    for path in arguments.samples:
        with torch.inference_mode():
            result = stream(model, np.load(path))
        if not arguments.caches:
            del result["channel"], result["time"]
        np.savez_compressed(arguments.out_dir / f"{path.stem}.npz", **result)


def stream(model: Any, samples: np.ndarray) -> dict[str, np.ndarray]:
    encoder, config = model.encoder, model.encoder.streaming_cfg
    features, frames = model.preprocessor(
        input_signal=torch.from_numpy(samples)[None], length=torch.tensor([len(samples)])
    )
    features = features[:, :, : int(frames[0])]
    buffer = CacheAwareStreamingAudioBuffer(model)
    buffer.append_processed_signal(features)
    channel, time, cached = encoder.get_initial_cache_state(batch_size=1)
    rows: dict[str, list[Any]] = {"encoded": [], "valid": [], "frames": [], "cached": [], "counts": []}
    hypotheses, kept = None, (channel, time)
    for chunk, length, last in chunks(buffer, features):
        whole_frames = config.pre_encode_cache_size[1] + config.chunk_size[1]
        whole_frames = whole_frames if rows["valid"] else config.chunk_size[0]
        step = {
            "processed_signal": chunk,
            "processed_signal_length": length,
            "cache_last_channel": channel,
            "cache_last_time": time,
            "cache_last_channel_len": cached,
            "keep_all_outputs": last,
            "drop_extra_pre_encoded": config.drop_extra_pre_encoded if rows["valid"] else 0,
        }
        encoded, valid, *_ = encoder.cache_aware_stream_step(**step)
        _, _, channel, time, cached, hypotheses = model.conformer_stream_step(
            **step, previous_hypotheses=hypotheses
        )
        rows["encoded"].append(encoded[0, :, : int(valid[0])].T.numpy())
        rows["valid"].append(int(valid[0]))
        rows["frames"].append(chunk.shape[2])
        rows["cached"].append(int(cached[0]))
        rows["counts"].append(len(hypotheses[0].y_sequence))
        if chunk.shape[2] == whole_frames:
            kept = (channel, time)
    whole, whole_steps = encoder(audio_signal=features, length=frames)
    decoded = model.decoding.rnnt_decoder_predictions_tensor(whole, whole_steps, return_hypotheses=True)[0]
    return {
        "encoded": np.concatenate(rows.pop("encoded")),
        **{name: np.array(values, np.int32) for name, values in rows.items()},
        "tokens": np.array(ids(hypotheses[0]), np.int32),
        "whole": whole[0, :, : int(whole_steps[0])].T.numpy(),
        "whole_tokens": np.array(ids(decoded), np.int32),
        "channel": kept[0].transpose(0, 1).numpy(),
        "time": kept[1].transpose(0, 1).numpy(),
        "first_chunk_frames": np.array(config.chunk_size[0]),
        "chunk_frames": np.array(config.chunk_size[1]),
        "shift_frames": np.array(config.shift_size),
        "pre_encode_cache_frames": np.array(config.pre_encode_cache_size[1]),
        "drop_extra_pre_encoded_steps": np.array(config.drop_extra_pre_encoded),
        "valid_out_steps": np.array(config.valid_out_len),
        "left_context_steps": np.array(config.last_channel_cache_size),
    }


def chunks(buffer: Any, features: torch.Tensor) -> Any:
    """(input, valid columns, whether it is the last one); NeMo's, and the rest that it throws away."""
    begun = 0
    for chunk, length in buffer:
        begun = buffer.buffer_idx
        yield chunk, length, buffer.is_buffer_empty()
    rest = features.shape[2] - begun
    if rest > 0:
        before = buffer.streaming_cfg.pre_encode_cache_size[1]
        yield features[:, :, begun - before :], torch.tensor([before + rest]), True


def ids(hypothesis: Any) -> list[int]:
    return [int(token) for token in hypothesis.y_sequence]


if __name__ == "__main__":
    main()
