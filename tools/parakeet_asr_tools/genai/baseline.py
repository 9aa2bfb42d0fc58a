"""The simplest possible user of a bundle: its three graphs, numpy, and the TDT loop written out.

Nothing of our decoder is used, so that agreement says something about the files. Where a blank has duration
0, NeMo's rule: the next step.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from parakeet_asr.records import FloatArray


class Baseline:
    """Reads ``genai_config.json`` and nothing else beside the graphs."""

    def __init__(self, bundle: Path, threads: int = 1) -> None:
        """Load the graphs."""
        config: dict[str, Any] = json.loads((bundle / "genai_config.json").read_text("utf-8"))["model"]
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        self._encoder, self._decoder, self._joint = (
            onnxruntime.InferenceSession(str(bundle / config[part]["filename"]), options)
            for part in ("encoder", "decoder", "joiner")
        )
        self._blank = int(config["blank_id"])
        self._classes = int(config["vocab_size"])  # with the blank
        self._durations: list[int] = config["tdt_durations"]
        self._max_symbols = int(config["max_symbols_per_step"])
        shape = (config["decoder"]["num_hidden_layers"], 1, config["decoder"]["hidden_size"])
        self._zeros = np.zeros(shape, np.float32)

    def tokens(self, features: FloatArray) -> list[int]:
        """Token ids of normalised log-mel features, [mels, frames]."""
        feeds = {"audio_signal": features[None], "length": np.array([features.shape[1]])}
        encoded, lengths = self._encoder.run(["outputs", "encoded_lengths"], feeds)
        steps = encoded[0].T  # [steps, d_model]
        predicted, hidden, cell = self._predict(self._blank, self._zeros, self._zeros)
        ids: list[int] = []
        time, symbols = 0, 0
        while time < lengths[0]:
            (logits,) = self._joint.run(
                ["outputs"], {"encoder_outputs": steps[None, time : time + 1], "decoder_outputs": predicted}
            )
            scores = logits[0, 0, 0]
            token = int(scores[: self._classes].argmax())
            jump = self._durations[int(scores[self._classes :].argmax())]
            if token != self._blank:
                ids.append(token)
                predicted, hidden, cell = self._predict(token, hidden, cell)
                symbols += 1
            if jump == 0 and (token == self._blank or symbols >= self._max_symbols):
                jump = 1
            if jump:
                time, symbols = time + jump, 0
        return ids

    def _predict(self, token: int, hidden: FloatArray, cell: FloatArray) -> tuple[Any, Any, Any]:
        feeds = {"targets": np.array([[token]]), "target_length": np.array([1]), "h_in": hidden, "c_in": cell}
        outputs, hidden, cell = self._decoder.run(["outputs", "h_out", "c_out"], feeds)
        return outputs.transpose(0, 2, 1), hidden, cell
