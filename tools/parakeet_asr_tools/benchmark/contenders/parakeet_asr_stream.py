"""This project's buffered stream, alone: no drafts, no voice detector, no final pass."""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import version
from typing import Any

from parakeet_asr_tools.benchmark.contenders import FloatArray
from parakeet_asr_tools.benchmark.job import Hypothesis


class ParakeetAsrStream:
    """``core.buffered.BufferedStream``, one recording at a time, as a live stream is."""

    _model: Any
    _buffered: Any

    def __init__(self, left_s: float, chunk_s: float, right_s: float) -> None:
        """Sizes of the window in seconds."""
        self._sizes = left_s, chunk_s, right_s

    def load(self, model: str, threads: int) -> None:
        """See :class:`Contender`."""
        self._buffered = import_module("parakeet_asr.core.buffered")
        self._model = import_module("parakeet_asr").load_model(model, threads=threads, guard=None)

    def transcribe(self, audio: list[FloatArray]) -> list[str]:
        """See :class:`Contender`."""
        return [one.text for one in self.transcribe_ids(audio)]

    def transcribe_ids(self, audio: list[FloatArray]) -> list[Hypothesis]:
        """See :class:`Contender`."""
        return [self._stream(samples) for samples in audio]

    def features(self, samples: FloatArray) -> None:
        """See :class:`Contender`."""
        self._model.recognizer.features.extract(samples)

    def versions(self) -> dict[str, str]:
        """See :class:`Contender`."""
        ours = {"parakeet_asr": str(import_module("parakeet_asr").__version__)}
        return ours | {name: version(name) for name in ("onnxruntime", "numpy")}

    def _stream(self, samples: FloatArray) -> Hypothesis:
        recognizer = self._model.recognizer
        options = self._buffered.WindowOptions(*self._sizes)
        stream = self._buffered.BufferedStream(recognizer, lambda start, stop: samples[start:stop], options)
        stream.flush(len(samples))
        heard = recognizer.transcription(stream.committed, len(samples))
        return Hypothesis(heard.text, heard.token_ids)


def create(sizes: str) -> ParakeetAsrStream:
    """The contender of this module for a window such as ``10-2-2``."""
    left_s, chunk_s, right_s = map(float, sizes.split("-"))
    return ParakeetAsrStream(left_s, chunk_s, right_s)
