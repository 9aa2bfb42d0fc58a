"""What the original NeMo makes of recordings; runs in NeMo's Python and imports nothing of this project.

    nemo_golden.py MODEL.nemo FOLDER COUNT

FOLDER holds <index>.samples.npy, [n] float32 at 16 kHz; gets nemo.jsonl (ids, text) and <index>.npz (encoded
[steps, d_model]). `greedy_batch`, CPU, one at a time, dither 0.
"""

from __future__ import annotations

import json
import logging
import sys
from pathlib import Path


def main() -> None:
    """Run."""
    import numpy as np
    import torch
    from nemo.collections.asr.models import ASRModel
    from nemo.utils import logging as nemo_logging

    model_path, folder, count = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    nemo_logging.setLevel(logging.ERROR)
    model = ASRModel.restore_from(model_path, map_location="cpu").eval()
    model.preprocessor.featurizer.dither = 0.0
    with (folder / "nemo.jsonl").open("w", encoding="utf-8") as out, torch.inference_mode():
        for i in range(count):
            samples = np.load(folder / f"{i}.samples.npy")
            signal, length = torch.from_numpy(samples)[None], torch.tensor([len(samples)])
            encoded, steps = model.forward(input_signal=signal, input_signal_length=length)
            hypothesis = model.decoding.rnnt_decoder_predictions_tensor(
                encoder_output=encoded, encoded_lengths=steps, return_hypotheses=True
            )[0]
            ids = [int(token) for token in hypothesis.y_sequence]
            np.savez_compressed(folder / f"{i}.npz", encoded=encoded[0, :, : int(steps[0])].T.numpy())
            out.write(json.dumps({"ids": ids, "text": hypothesis.text}, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
