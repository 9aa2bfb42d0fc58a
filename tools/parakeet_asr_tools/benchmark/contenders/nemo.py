"""NVIDIA NeMo on PyTorch: the reference, ``greedy_batch`` decoding.

Called below ``model.transcribe``, which writes a manifest and builds a data loader for every call:
the preprocessor, the encoder and the decoder directly are about a tenth faster.
"""

from __future__ import annotations

import logging
import os
from importlib import import_module
from importlib.metadata import version
from typing import Any

import numpy as np

from parakeet_asr_tools.benchmark.contenders import FloatArray
from parakeet_asr_tools.benchmark.job import Hypothesis


class Nemo:
    """``EncDecRNNTBPEModel`` in inference mode."""

    _model: Any
    _torch: Any

    def load(self, model: str, threads: int) -> None:
        """See :class:`Contender`."""
        os.environ.setdefault("NEMO_TESTING", "True")  # no telemetry
        self._torch = import_module("torch")
        self._torch.set_num_threads(threads)
        models = import_module("nemo.collections.asr.models")
        import_module("nemo.utils").logging.setLevel(logging.ERROR)
        self._model = models.ASRModel.restore_from(model, map_location="cpu").eval()
        self._model.preprocessor.featurizer.dither = 0.0
        strategy = self._model.cfg.decoding.strategy
        if strategy != "greedy_batch":
            raise ValueError(f"{model}: decoding strategy is {strategy!r}, the reference is 'greedy_batch'")

    def transcribe(self, audio: list[FloatArray]) -> list[str]:
        """See :class:`Contender`."""
        return [one.text for one in self._decode(audio)]

    def transcribe_ids(self, audio: list[FloatArray]) -> list[Hypothesis]:
        """See :class:`Contender`."""
        return [Hypothesis(one.text, [int(token) for token in one.y_sequence]) for one in self._decode(audio)]

    def features(self, samples: FloatArray) -> None:
        """See :class:`Contender`."""
        torch = self._torch
        with torch.inference_mode():
            self._model.preprocessor(
                input_signal=torch.from_numpy(samples)[None], length=torch.tensor([len(samples)])
            )

    def versions(self) -> dict[str, str]:
        """See :class:`Contender`."""
        return {name: version(name) for name in ("nemo_toolkit", "torch")}

    def _decode(self, audio: list[FloatArray]) -> list[Any]:
        torch = self._torch
        padded = np.zeros((len(audio), max(len(samples) for samples in audio)), np.float32)
        for row, samples in enumerate(audio):
            padded[row, : len(samples)] = samples
        with torch.inference_mode():
            encoded, lengths = self._model.forward(
                input_signal=torch.from_numpy(padded),
                input_signal_length=torch.tensor([len(samples) for samples in audio]),
            )
            hypotheses = self._model.decoding.rnnt_decoder_predictions_tensor(
                encoder_output=encoded, encoded_lengths=lengths, return_hypotheses=True
            )
        return list(hypotheses)


def create() -> Nemo:
    """The contender of this module."""
    return Nemo()
