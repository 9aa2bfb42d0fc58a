"""A bundle through ONNX Runtime GenAI itself: its features, its TDT loop, its tokenizer."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from parakeet_asr.errors import EngineError


@dataclass(frozen=True, slots=True)
class Heard:
    """What GenAI made of a recording."""

    token_ids: tuple[int, ...]
    text: str


class GenaiModel:
    """A loaded bundle; needs the package ``onnxruntime-genai`` (extra ``genai``)."""

    def __init__(self, bundle: Path) -> None:
        """Load it.

        Raises:
            EngineError: the package is not installed, or cannot load this bundle.
        """
        try:
            import onnxruntime_genai
        except ImportError as error:
            raise EngineError(
                "onnxruntime-genai is not installed; pip install 'parakeet-asr-tools[genai]'"
            ) from error
        self._genai = onnxruntime_genai
        try:
            self._model = onnxruntime_genai.Model(str(bundle))
            self._processor = self._model.create_multimodal_processor()
        except Exception as error:  # its exceptions share no base class below Exception
            raise EngineError(f"{bundle}: ONNX Runtime GenAI cannot load this bundle: {error}") from error

    def transcribe(self, recording: Path) -> Heard:
        """Recognize a file of a format that GenAI reads (WAV, FLAC, MP3)."""
        audios = self._genai.Audios.open(str(recording))
        generator = self._genai.Generator(self._model, self._genai.GeneratorParams(self._model))
        generator.set_inputs(self._processor("", audios=audios))
        while not generator.is_done():
            generator.generate_next_token()
        sequence = generator.get_sequence(0)
        return Heard(tuple(int(token) for token in sequence), str(self._processor.decode(sequence)).strip())
