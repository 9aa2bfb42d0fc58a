"""SentencePiece behind the core's Tokenizer."""

from __future__ import annotations

from pathlib import Path

import sentencepiece

from parakeet_asr.errors import ModelContractError


class SentencePieceTokenizer:
    """The ``tokenizer.model`` of a model directory or of a ``.nemo`` archive."""

    def __init__(self, path: Path, vocabulary_size: int, content: bytes | None = None) -> None:
        """Load and check.

        Args:
            path: of the file; of the archive where ``content`` is given.
            vocabulary_size: pieces that it must have.
            content: what the file holds, where it is none of its own.

        Raises:
            ModelContractError: the file is not a SentencePiece model of ``vocabulary_size`` pieces.
        """
        self._processor = sentencepiece.SentencePieceProcessor()
        try:
            self._processor.LoadFromSerializedProto(path.read_bytes() if content is None else content)
        except (OSError, RuntimeError) as error:
            raise ModelContractError(
                f"{path}: expected a SentencePiece model, which this is not ({error}); export the model again"
            ) from error
        size = self._processor.GetPieceSize()
        if size != vocabulary_size:
            raise ModelContractError(
                f"{path} has {size} pieces, model.json says vocabulary_size {vocabulary_size}; "
                "export the model again"
            )
        self.pieces: tuple[str, ...] = tuple(self._processor.IdToPiece(i) for i in range(size))

    def encode(self, text: str) -> list[int]:
        """Token ids of a text."""
        return list(self._processor.EncodeAsIds(text))
