"""Where a model to train comes from, and the ``.nemo`` that it becomes."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import sentencepiece
import torch
import yaml
from torch import Tensor

from parakeet_asr.engines.pytorch.model.transducer import Transducer, load_transducer
from parakeet_asr.errors import ConfigurationError
from parakeet_asr.nemo.archive import NemoArchive
from parakeet_asr.nemo.config import TransducerConfig, parse_config
from parakeet_asr_tools.making.members import preprocessor_constants, tokenizer_members
from parakeet_asr_tools.making.presets import DecoderName, Preset, model_config
from parakeet_asr_tools.nemo.writing import write_archive
from parakeet_asr_tools.train.model import fresh_transducer
from parakeet_asr_tools.train.surgery import Changes, changed

_CONSTANTS = "preprocessor."


@dataclass(frozen=True, slots=True)
class Origin:
    """A model and all that its archive holds besides the weights."""

    transducer: Transducer
    config_text: bytes
    constants: Mapping[str, Tensor]  # window and filters
    files: Mapping[str, bytes]
    tokenizer: bytes  # a SentencePiece model

    def processor(self) -> sentencepiece.SentencePieceProcessor:
        """The tokenizer, ready to encode."""
        return sentencepiece.SentencePieceProcessor(model_proto=self.tokenizer)

    def write(self, path: Path, weights: Mapping[str, Tensor]) -> None:
        """Write the archive with other weights, on the CPU and in their own precision."""
        values = {name: value.detach().cpu().contiguous() for name, value in weights.items()}
        write_archive(path, self.config_text, {**self.constants, **values}, self.files)


def from_archive(archive: NemoArchive, changes: Changes | None = None) -> Origin:
    """The model of an archive, as it is or changed.

    Raises:
        ConfigurationError: the model cannot be changed so.
        ArchiveError: the archive is not understood.
    """
    weights: Mapping[str, Tensor] = {name: value.clone() for name, value in archive.weights.items()}
    settings, text = archive.config, archive.config_text
    if changes is not None and changes != Changes():
        settings, weights = changed(settings, weights, changes)
        text = yaml.safe_dump(settings, sort_keys=False, allow_unicode=True).encode()
    config = parse_config(settings)
    return Origin(
        transducer=load_transducer(config, weights),
        config_text=text,
        constants={name: value for name, value in weights.items() if name.startswith(_CONSTANTS)},
        files=archive.files,
        tokenizer=archive.file(config.tokenizer_reference),
    )


def from_preset(preset: Preset, decoder: DecoderName, tokenizer: bytes, seed: int) -> Origin:
    """A model of random weights around a tokenizer."""
    processor = sentencepiece.SentencePieceProcessor(model_proto=tokenizer)
    vocabulary = [processor.IdToPiece(i) for i in range(processor.GetPieceSize())]
    artifacts, files = tokenizer_members(tokenizer, vocabulary)
    config = model_config(preset, decoder, vocabulary, artifacts)
    parsed: TransducerConfig = parse_config(config)
    return Origin(
        transducer=fresh_transducer(parsed, seed),
        config_text=yaml.safe_dump(config, sort_keys=False, allow_unicode=True).encode(),
        constants=preprocessor_constants(preset.mels),
        files=files,
        tokenizer=tokenizer,
    )


def train_tokenizer(texts: Sequence[str], pieces: int) -> bytes:
    """A SentencePiece BPE model of exactly so many pieces, with the conventions of NeMo's: unknown is id 0.

    Raises:
        ConfigurationError: the texts do not give that many.
    """
    model = io.BytesIO()
    try:
        sentencepiece.SentencePieceTrainer.Train(
            sentence_iterator=iter(texts), model_writer=model, model_type="bpe", vocab_size=pieces, unk_id=0,
            bos_id=-1, eos_id=-1, pad_id=-1, character_coverage=1.0, normalization_rule_name="identity",
            minloglevel=2, num_threads=1,
        )  # fmt: skip
    except RuntimeError as error:
        raise ConfigurationError(
            f"tokenizer: {pieces} pieces cannot be made of {len(texts)} texts ({error}); ask for fewer"
        ) from error
    return model.getvalue()


def rounded_to_float16(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Every floating-point weight as its nearest float16 number, in float16."""
    return {
        name: value.to(torch.float16) if value.dtype.is_floating_point else value
        for name, value in weights.items()
    }
