"""What the original NeMo makes of recordings; runs in NeMo's Python and imports nothing of this project.

    nemo_reference.py MODEL.nemo UTTERANCES.json OUT.jsonl [FEATURES_DIR]

UTTERANCES.json: a list of {"audio": name, "path": file}. Writes {"audio", "ids", "text"} per line in the
same order: `greedy_batch`, CPU, one utterance at a time, dither 0. With FEATURES_DIR, also the log-mel
features of each, before normalisation, as FEATURES_DIR/<index>.npy, [mels, frames].
"""

from __future__ import annotations

import json
import logging
import sys
from pathlib import Path

import numpy as np
import soundfile
import torch
from nemo.collections.asr.models import ASRModel
from nemo.utils import logging as nemo_logging


def main() -> None:
    model_path, list_path, out_path, *features_dir = sys.argv[1:]
    nemo_logging.setLevel(logging.ERROR)
    torch.set_num_threads(2)
    model = ASRModel.restore_from(model_path, map_location="cpu").eval()
    model.preprocessor.featurizer.dither = 0.0
    assert model.cfg.decoding.strategy == "greedy_batch", model.cfg.decoding.strategy
    with Path(out_path).open("w", encoding="utf-8") as out, torch.inference_mode():
        for index, row in enumerate(json.loads(Path(list_path).read_text(encoding="utf-8"))):
            samples, rate_hz = soundfile.read(row["path"], dtype="float32")
            assert (rate_hz, samples.ndim) == (16_000, 1), row["path"]
            ids, text = decode(model, samples)
            if features_dir:
                np.save(Path(features_dir[0]) / f"{index}.npy", log_mel(model, samples))
            out.write(
                json.dumps({"audio": row["audio"], "ids": ids, "text": text}, ensure_ascii=False) + "\n"
            )


def decode(model: ASRModel, samples: np.ndarray) -> tuple[list[int], str]:
    encoded, steps = model.forward(
        input_signal=torch.from_numpy(samples)[None], input_signal_length=torch.tensor([len(samples)])
    )
    hypothesis = model.decoding.rnnt_decoder_predictions_tensor(
        encoder_output=encoded, encoded_lengths=steps, return_hypotheses=True
    )[0]
    return [int(token) for token in hypothesis.y_sequence], hypothesis.text


def log_mel(model: ASRModel, samples: np.ndarray) -> np.ndarray:
    featurizer = model.preprocessor.featurizer
    normalize, featurizer.normalize = featurizer.normalize, None
    try:
        features, frames = model.preprocessor(
            input_signal=torch.from_numpy(samples)[None], length=torch.tensor([len(samples)])
        )
    finally:
        featurizer.normalize = normalize
    return features[0, :, : int(frames[0])].numpy()


if __name__ == "__main__":
    main()
