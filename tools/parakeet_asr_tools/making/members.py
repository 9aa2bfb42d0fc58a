"""What a ``.nemo`` archive holds besides configuration and trained weights, as NeMo itself writes it."""

from __future__ import annotations

import hashlib

import torch
from torch import Tensor

from parakeet_asr.core.filterbank import slaney_filterbank


def tokenizer_members(model: bytes, vocabulary: list[str]) -> tuple[dict[str, str], dict[str, bytes]]:
    """NeMo's three tokenizer settings, and the members they name, prefixed with a hash as NeMo does.

    Args:
        model: a serialized SentencePiece model.
        vocabulary: its pieces.
    """
    contents = {
        ("model_path", "tokenizer.model"): model,
        ("vocab_path", "vocab.txt"): "".join(f"{piece}\n" for piece in vocabulary).encode(),
        ("spe_tokenizer_vocab", "tokenizer.vocab"): "".join(
            f"{piece}\t{-i}\n" for i, piece in enumerate(vocabulary)
        ).encode(),
    }
    artifacts, files = {}, {}
    for (key, suffix), content in contents.items():
        name = f"{hashlib.sha256(content).hexdigest()[:32]}_{suffix}"
        artifacts[key] = name
        files[name] = content
    return artifacts, files


def preprocessor_constants(mels: int) -> dict[str, Tensor]:
    """Window and filters, which NeMo keeps in its checkpoints though it can compute them."""
    return {
        "preprocessor.featurizer.window": torch.hann_window(400, periodic=False),
        "preprocessor.featurizer.fb": torch.from_numpy(slaney_filterbank(mels))[None],
    }
