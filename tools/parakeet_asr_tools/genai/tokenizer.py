"""A SentencePiece model as Hugging Face's ``tokenizers`` and ONNX Runtime GenAI read it.

GenAI decodes with it and nothing more; it takes a Unigram model, which it finds through ``T5Tokenizer``.
Pieces, ids and decoding are the same whatever the SentencePiece model is. Encoding is the same where that is
a Unigram model itself; a BPE model merges pairs instead of looking for the best path, so there the ids of a
text may differ (``tokenizer.model`` stays beside it, for those who encode).
"""

from __future__ import annotations

import base64
from typing import Any

from sentencepiece import sentencepiece_model_pb2 as model_pb2

from parakeet_asr.core.tokenizer import WORD_BOUNDARY
from parakeet_asr.errors import ArchiveError

BLANK = "<blk>"  # behind the last piece, as everywhere in a transducer


def read_model(data: bytes) -> Any:
    """The parsed SentencePiece model.

    Raises:
        ArchiveError: it is none, or has no unknown piece.
    """
    model: Any = model_pb2.ModelProto()  # type: ignore[attr-defined]  # made when it is imported
    try:
        model.ParseFromString(data)
    except Exception as error:  # protobuf's errors share no base class below Exception
        raise ArchiveError(f"tokenizer: expected a SentencePiece model, got {error}") from error
    if sum(piece.type == piece.UNKNOWN for piece in model.pieces) != 1:
        raise ArchiveError("tokenizer: expected one unknown piece in the SentencePiece model")
    return model


def vocabulary(model: Any) -> list[tuple[str, float]]:
    """Piece and Unigram score of every id.

    A BPE model has ranks instead of probabilities; the best path over them is the one with the fewest pieces
    and among those of early merges, which comes closest to merging.
    """
    if model.trainer_spec.model_type == model.trainer_spec.BPE:
        size = len(model.pieces)
        return [(piece.piece, -1.0 - i / size) for i, piece in enumerate(model.pieces)]
    return [(piece.piece, float(piece.score)) for piece in model.pieces]


def unknown_id(model: Any) -> int:
    """The id of the unknown piece."""
    return next(i for i, piece in enumerate(model.pieces) if piece.type == piece.UNKNOWN)


def tokenizer_json(model: Any) -> dict[str, Any]:
    """The object of ``tokenizer.json``."""
    unknown = unknown_id(model)
    named = [(i, p.piece) for i, p in enumerate(model.pieces) if p.type in (p.UNKNOWN, p.CONTROL)]
    special = [
        {
            "id": i, "content": text, "single_word": False, "lstrip": False, "rstrip": False,
            "normalized": False, "special": True,
        }
        for i, text in (*named, (len(model.pieces), BLANK))
    ]  # fmt: skip
    spaces = {
        "type": "Metaspace", "replacement": WORD_BOUNDARY,
        "prepend_scheme": "always" if model.normalizer_spec.add_dummy_prefix else "never",
        "split": bool(model.trainer_spec.split_by_whitespace),
    }  # fmt: skip
    decoder: dict[str, Any] = spaces
    if model.trainer_spec.byte_fallback:
        decoder = {"type": "Sequence", "decoders": [{"type": "ByteFallback"}, spaces]}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": special,
        "normalizer": _normalizer(model.normalizer_spec),
        "pre_tokenizer": spaces,
        "post_processor": None,
        "decoder": decoder,
        "model": {
            "type": "Unigram",
            "unk_id": unknown,
            "vocab": [[piece, score] for piece, score in vocabulary(model)],
            "byte_fallback": bool(model.trainer_spec.byte_fallback),
        },
    }


def tokenizer_config(model: Any) -> dict[str, Any]:
    """The object of ``tokenizer_config.json``: T5's route to a Unigram model, without T5's extra tokens.

    T5 wants an end of sequence; it gets the blank, which ends a sequence for GenAI, too.
    """
    unknown = model.pieces[unknown_id(model)].piece
    return {
        "tokenizer_class": "T5Tokenizer",
        "unk_token": unknown,
        "bos_token": None,
        "eos_token": BLANK,
        "pad_token": BLANK,
        "extra_ids": 0,
        "additional_special_tokens": [],
        "add_prefix_space": bool(model.normalizer_spec.add_dummy_prefix),
        "clean_up_tokenization_spaces": False,
        "model_max_length": 1 << 30,
    }


def vocab_txt(model: Any) -> str:
    """``vocab.txt``: piece and id on each line, the blank last."""
    names = [piece for piece, _ in vocabulary(model)] + [BLANK]
    return "".join(f"{name} {i}\n" for i, name in enumerate(names))


def _normalizer(spec: Any) -> dict[str, Any] | None:
    """What SentencePiece does to a text before it looks for pieces."""
    steps: list[dict[str, Any]] = []
    if spec.precompiled_charsmap:
        table = base64.b64encode(spec.precompiled_charsmap).decode("ascii")
        steps.append({"type": "Precompiled", "precompiled_charsmap": table})
    if spec.remove_extra_whitespaces:
        steps.append({"type": "Replace", "pattern": {"Regex": "^ +| +$"}, "content": ""})
        steps.append({"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "})
    return {"type": "Sequence", "normalizers": steps} if steps else None
