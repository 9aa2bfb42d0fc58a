"""onnx-asr on NeMo's own ONNX export, with its numpy preprocessor: its default on a CPU, and its fastest."""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from parakeet_asr_tools.benchmark.contenders import FloatArray
from parakeet_asr_tools.benchmark.job import Hypothesis


class OnnxAsr:
    """``onnx_asr.load_model("nemo-conformer-tdt", ...)``."""

    _model: Any
    _with_tokens: Any
    _ids: dict[str, int]

    def load(self, model: str, threads: int) -> None:
        """See :class:`Contender`."""
        onnxruntime: Any = import_module("onnxruntime")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        self._model = import_module("onnx_asr").load_model(
            "nemo-conformer-tdt",
            model,
            sess_options=options,
            providers=["CPUExecutionProvider"],
        )
        self._with_tokens = self._model.with_timestamps()
        self._ids = _read_vocabulary(Path(model) / "vocab.txt")

    def transcribe(self, audio: list[FloatArray]) -> list[str]:
        """See :class:`Contender`."""
        return list(self._model.recognize(audio))

    def transcribe_ids(self, audio: list[FloatArray]) -> list[Hypothesis]:
        """See :class:`Contender`."""
        results = self._with_tokens.recognize(audio)
        return [Hypothesis(one.text, [self._ids[token] for token in one.tokens]) for one in results]

    def features(self, samples: FloatArray) -> None:
        """See :class:`Contender`."""
        self._model.asr._preprocessor(samples[None], np.array([len(samples)], np.int64))

    def versions(self) -> dict[str, str]:
        """See :class:`Contender`."""
        return {name: version(name) for name in ("onnx-asr", "onnxruntime", "numpy")}


def _read_vocabulary(path: Path) -> dict[str, int]:
    lines = path.read_text(encoding="utf-8").splitlines()
    return {piece.replace("\u2581", " "): int(token) for piece, token in (line.split(" ") for line in lines)}


def create() -> OnnxAsr:
    """The contender of this module."""
    return OnnxAsr()
