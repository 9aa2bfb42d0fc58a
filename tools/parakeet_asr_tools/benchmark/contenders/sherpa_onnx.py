"""sherpa-onnx on the export that its own scripts make; features by kaldi-native-fbank in C++."""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

from parakeet_asr_tools.benchmark.contenders import FloatArray
from parakeet_asr_tools.benchmark.job import Hypothesis

SAMPLE_RATE_HZ = 16_000


class SherpaOnnx:
    """``OfflineRecognizer.from_transducer(model_type="nemo_transducer")``."""

    _recognizer: Any
    _ids: dict[str, int]

    def load(self, model: str, threads: int) -> None:
        """See :class:`Contender`."""
        folder = Path(model)
        self._recognizer = import_module("sherpa_onnx").OfflineRecognizer.from_transducer(
            encoder=str(folder / "encoder.onnx"),
            decoder=str(folder / "decoder.onnx"),
            joiner=str(folder / "joiner.onnx"),
            tokens=str(folder / "tokens.txt"),
            num_threads=threads,
            model_type="nemo_transducer",
        )
        lines = (folder / "tokens.txt").read_text(encoding="utf-8").splitlines()
        self._ids = {
            piece.replace("\u2581", " "): int(token) for piece, token in (line.split(" ") for line in lines)
        }

    def transcribe(self, audio: list[FloatArray]) -> list[str]:
        """See :class:`Contender`."""
        return [result.text for result in self._decode(audio)]

    def transcribe_ids(self, audio: list[FloatArray]) -> list[Hypothesis]:
        """See :class:`Contender`."""
        return [
            Hypothesis(one.text, [self._ids[token.replace("\u2581", " ")] for token in one.tokens])
            for one in self._decode(audio)
        ]

    def features(self, samples: FloatArray) -> None:
        """Log-mel only: it normalises later, inside of decoding, which is not counted here."""
        self._recognizer.create_stream().accept_waveform(SAMPLE_RATE_HZ, samples)

    def versions(self) -> dict[str, str]:
        """See :class:`Contender`."""
        return {
            "sherpa-onnx": version("sherpa-onnx"),
            "onnxruntime": str(import_module("sherpa_onnx").onnxruntime_version),
        }

    def _decode(self, audio: list[FloatArray]) -> list[Any]:
        streams = [self._recognizer.create_stream() for _ in audio]
        for stream, samples in zip(streams, audio, strict=True):
            stream.accept_waveform(SAMPLE_RATE_HZ, samples)
        self._recognizer.decode_streams(streams)
        return [stream.result for stream in streams]


def create() -> SherpaOnnx:
    """The contender of this module."""
    return SherpaOnnx()
