"""This project, through its public library.

Without the blank guard, which decodes again what seems left out: the peers have nothing like it, and
without it the same tokens as NeMo's are due.
"""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import version
from typing import Any

from parakeet_asr_tools.benchmark.contenders import FloatArray
from parakeet_asr_tools.benchmark.job import Hypothesis


class ParakeetAsr:
    """``load_model(...).transcribe(...)``."""

    _model: Any

    def load(self, model: str, threads: int) -> None:
        """See :class:`Contender`."""
        self._model = import_module("parakeet_asr").load_model(model, threads=threads, guard=None)

    def transcribe(self, audio: list[FloatArray]) -> list[str]:
        """See :class:`Contender`."""
        return [one.text for one in self._model.transcribe(audio)]

    def transcribe_ids(self, audio: list[FloatArray]) -> list[Hypothesis]:
        """See :class:`Contender`."""
        return [Hypothesis(one.text, one.token_ids) for one in self._model.transcribe(audio)]

    def features(self, samples: FloatArray) -> None:
        """See :class:`Contender`."""
        self._model.recognizer.features.extract(samples)

    def versions(self) -> dict[str, str]:
        """See :class:`Contender`."""
        ours = {"parakeet_asr": str(import_module("parakeet_asr").__version__)}
        return ours | {name: version(name) for name in ("onnxruntime", "numpy")}


def create() -> ParakeetAsr:
    """The contender of this module."""
    return ParakeetAsr()
