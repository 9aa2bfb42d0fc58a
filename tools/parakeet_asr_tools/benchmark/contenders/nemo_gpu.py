"""NVIDIA NeMo on a GPU: ``greedy_batch`` label looping with its CUDA graphs on, in two precisions.

``float16`` is autocast (``amp=true`` of NeMo's transcribe_speech.py), ``bfloat16`` its ``compute_dtype``:
encoder, predictor and joint network stored so. Called below ``model.transcribe``, as ``contenders.nemo``.
"""

from __future__ import annotations

import time
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np

from parakeet_asr_tools.benchmark.contenders import FloatArray
from parakeet_asr_tools.benchmark.contenders.nemo import Nemo
from parakeet_asr_tools.benchmark.job import Hypothesis


class NemoGpu(Nemo):
    """``EncDecRNNTBPEModel`` in inference mode on CUDA."""

    def __init__(self, variant: str) -> None:
        self._variant = variant

    def load(self, model: str, threads: int) -> None:
        """See :class:`Contender`."""
        super().load(model, threads)
        self._model = self._model.cuda()
        if self._variant == "bfloat16":
            for part in (self._model.encoder, self._model.decoder, self._model.joint):
                part.to(self._torch.bfloat16)

    def stages(self, audio: list[FloatArray]) -> dict[str, float]:
        """Seconds per stage of one batch."""
        times_s: list[float] = []

        def mark() -> None:
            self._torch.cuda.synchronize()
            times_s.append(time.perf_counter())

        self._decode(audio, mark)
        features, encoder, decoder = np.diff(times_s).tolist()
        return {"features": features, "encoder": encoder, "decoder": decoder}

    def transcribe_ids(self, audio: list[FloatArray]) -> list[Hypothesis]:
        """See :class:`Contender`."""
        return [Hypothesis(one.text, [int(token) for token in one.y_sequence]) for one in self._decode(audio)]

    def features(self, samples: FloatArray) -> None:
        """See :class:`Contender`; features alone are not compared on a GPU."""

    def _decode(self, audio: list[FloatArray], mark: Any = lambda: None) -> list[Any]:
        torch, model = self._torch, self._model
        mark()
        padded = np.zeros((len(audio), max(len(samples) for samples in audio)), np.float32)
        for row, samples in enumerate(audio):
            padded[row, : len(samples)] = samples
        with torch.inference_mode():
            features, frames = model.preprocessor(
                input_signal=torch.from_numpy(padded).cuda(),
                length=torch.tensor([len(samples) for samples in audio], device="cuda"),
            )
            mark()
            if self._variant == "bfloat16":
                features = features.to(torch.bfloat16)
            with self._arithmetic():
                encoded, lengths = model.encoder(audio_signal=features, length=frames)
                mark()
                hypotheses = model.decoding.rnnt_decoder_predictions_tensor(
                    encoder_output=encoded, encoded_lengths=lengths, return_hypotheses=True
                )
            mark()
        return list(hypotheses)

    def _arithmetic(self) -> AbstractContextManager[Any]:
        if self._variant == "bfloat16":
            return nullcontext()
        autocast: AbstractContextManager[Any] = self._torch.autocast("cuda", self._torch.float16)
        return autocast


def create(variant: str = "float16") -> NemoGpu:
    """The contender of this module."""
    return NemoGpu(variant)
