"""This project on a GPU, one engine or way of running it per variant; without the blank guard, as ever."""

from __future__ import annotations

import time
from importlib import import_module
from importlib.metadata import version
from typing import Any

import numpy as np

from parakeet_asr_tools.benchmark.contenders import FloatArray
from parakeet_asr_tools.benchmark.job import Hypothesis

VARIANTS: dict[str, dict[str, Any]] = {
    "torch": {"engine": "torch"},
    "torch-float32": {"engine": "torch", "precision": "float32"},
    "torch-compiled": {"engine": "torch", "compiled": True},
    "ort": {"engine": "ort"},
}


class ParakeetAsrGpu:
    """``load_model(..., device="cuda").transcribe(...)``."""

    _model: Any

    def __init__(self, variant: str) -> None:
        self._variant = variant

    def load(self, model: str, threads: int) -> None:
        """See :class:`Contender`."""
        del threads  # the host's part is small, and nobody else's threads are set on a GPU either
        options = VARIANTS[self._variant]
        load_model = import_module("parakeet_asr").load_model
        self._model = load_model(model, device="cuda", guard=None, verify=False, **options)

    def transcribe(self, audio: list[FloatArray]) -> list[str]:
        """See :class:`Contender`."""
        return [one.text for one in self._model.transcribe(audio)]

    def transcribe_ids(self, audio: list[FloatArray]) -> list[Hypothesis]:
        """See :class:`Contender`."""
        return [Hypothesis(one.text, one.token_ids) for one in self._model.transcribe(audio)]

    def features(self, samples: FloatArray) -> None:
        """See :class:`Contender`."""
        self._model.recognizer.features.extract(samples)

    def stages(self, audio: list[FloatArray]) -> dict[str, float]:
        """Seconds per stage of one batch; engine torch computes features and encoder in one go."""
        recognizer, engine = self._model.recognizer, self._model.recognizer.engine
        began_s = time.perf_counter()
        if self._variant == "ort":
            features = [recognizer.features.extract(samples) for samples in audio]
            lengths = np.array([one.shape[1] for one in features], np.int64)
            padded = np.zeros((len(audio), features[0].shape[0], int(lengths.max())), np.float32)
            for row, one in enumerate(features):
                padded[row, :, : one.shape[1]] = one
            featured_s = time.perf_counter()
            encoded = engine.encode(padded, lengths)
            encoded_s = time.perf_counter()
            recognizer.decode(encoded)
            ended_s = time.perf_counter()
            return {
                "features": featured_s - began_s,
                "encoder": encoded_s - featured_s,
                "decoder": ended_s - encoded_s,
            }
        synchronize = import_module("torch").cuda.synchronize
        heard = engine.hear(audio)
        synchronize()
        encoded_s = time.perf_counter()
        engine.decode_heard(heard)
        return {"features and encoder": encoded_s - began_s, "decoder": time.perf_counter() - encoded_s}

    def versions(self) -> dict[str, str]:
        """See :class:`Contender`."""
        if self._variant == "ort":
            return {"onnxruntime": str(import_module("onnxruntime").__version__)}
        return {"torch": version("torch")}


def create(variant: str = "torch") -> ParakeetAsrGpu:
    """The contender of this module."""
    return ParakeetAsrGpu(variant)
