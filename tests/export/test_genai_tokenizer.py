"""tokenizer.json and tokenizer_config.json against SentencePiece itself."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

sentencepiece = pytest.importorskip("sentencepiece")
tokenizers = pytest.importorskip("tokenizers", reason="tokenizers is not installed: make test installs it")
pytest.importorskip("torch")

from parakeet_asr.errors import ArchiveError  # noqa: E402
from parakeet_asr_tools.genai.tokenizer import (  # noqa: E402
    read_model,
    tokenizer_config,
    tokenizer_json,
    vocab_txt,
)

ROOT = Path(__file__).resolve().parents[2]
SPEECH = ROOT.parent / "shared" / "speech" / "manifest.jsonl"
MARK = "\u2581"


def texts() -> list[str]:
    """Of the samples, and of all recordings where they are."""
    paths = [ROOT / "examples/samples/manifest.jsonl", *([SPEECH] if SPEECH.is_file() else [])]
    return [json.loads(row)["text"] for path in paths for row in path.read_text("utf-8").splitlines()]


def trained(rule: str) -> bytes:
    """A small Unigram model of the samples' texts."""
    made = io.BytesIO()
    rows = (ROOT / "examples/samples/manifest.jsonl").read_text("utf-8").splitlines()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter([json.loads(row)["text"] for row in rows] * 20),
        model_writer=made,
        vocab_size=80,
        model_type="unigram",
        normalization_rule_name=rule,
        bos_id=-1,
        eos_id=-1,
        pad_id=-1,
        unk_id=0,
        minloglevel=2,
    )
    return made.getvalue()


MODELS = {
    "demo": (ROOT / "models/demo/tokenizer.model").read_bytes(),
    "unigram": trained("nmt_nfkc"),
    "identity": trained("identity"),
}
PAIRS: dict[str, tuple[Any, Any]] = {
    name: (
        sentencepiece.SentencePieceProcessor(model_proto=data),
        tokenizers.Tokenizer.from_str(json.dumps(tokenizer_json(read_model(data)))),
    )
    for name, data in MODELS.items()
}


@pytest.mark.parametrize("name", MODELS)
def test_all_texts_are_decoded_as_sentencepiece_does(name: str) -> None:
    reference, ours = PAIRS[name]
    for text in texts():
        ids = reference.encode(text)
        if 0 not in ids:  # SentencePiece shows its own mark for what is unknown
            assert ours.decode(ids, skip_special_tokens=False) == reference.decode(ids)


@pytest.mark.parametrize("name", ["unigram", "identity"])
def test_all_texts_are_encoded_as_a_unigram_model_does(name: str) -> None:
    reference, ours = PAIRS[name]
    for text in texts():
        assert ours.encode(text).ids == reference.encode(text)


def test_a_bpe_vocabulary_is_encoded_nearly_so_and_comes_back_whole() -> None:
    """Fewest pieces, early merges first: the text is the same, the pieces of most words, too."""
    reference, ours = PAIRS["demo"]
    words = sorted({word for text in texts() for word in text.split()})
    equal = sum(ours.encode(word).ids == reference.encode(word) for word in words)
    assert equal > 0.9 * len(words)
    for word in words:
        ids = ours.encode(word).ids
        if 0 not in ids:
            assert reference.decode(ids) == word


@settings(max_examples=40)
@given(text=st.text(st.characters(codec="utf-8", exclude_characters=MARK + "<\0"), max_size=40))
def test_any_text_is_encoded_as_a_unigram_model_does(text: str) -> None:
    reference, ours = PAIRS["identity"]
    assert ours.encode(text).ids == reference.encode(text)


@settings(max_examples=40)
@given(text=st.text(st.sampled_from(" \taeiotnsrTGäé日Ａﬁ.,?'"), max_size=30))
def test_any_text_is_normalised_as_sentencepiece_does(text: str) -> None:
    reference, ours = PAIRS["unigram"]
    assert ours.encode(text).ids == reference.encode(text)


@settings(max_examples=40)
@given(ids=st.lists(st.integers(1, 255), max_size=20))
def test_any_ids_are_decoded_as_sentencepiece_does(ids: list[int]) -> None:
    """But for spaces before the first word, of which SentencePiece takes away all and Metaspace one."""
    reference, ours = PAIRS["demo"]
    assert ours.decode(ids, skip_special_tokens=False).lstrip(" ") == reference.decode(ids)


def test_transformers_finds_t5s_tokenizer(tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers", reason="transformers is not installed")
    for name, (reference, ours) in PAIRS.items():
        model = read_model(MODELS[name])
        (tmp_path / "tokenizer.json").write_text(json.dumps(tokenizer_json(model)), "utf-8")
        (tmp_path / "tokenizer_config.json").write_text(json.dumps(tokenizer_config(model)), "utf-8")
        found = transformers.AutoTokenizer.from_pretrained(tmp_path)
        assert type(found).__name__ == "T5Tokenizer"
        assert len(found) == reference.get_piece_size() + 1  # the blank, which ends a sequence
        for text in texts():
            ids = reference.encode(text)
            if 0 not in ids:  # T5 itself takes 2 for the unknown piece, whatever a file says
                assert found.encode(text, add_special_tokens=False) == ours.encode(text).ids
                assert found.decode(ids) == reference.decode(ids)


def test_vocab_txt_names_every_id() -> None:
    reference, _ = PAIRS["demo"]
    lines = vocab_txt(read_model(MODELS["demo"])).splitlines()
    assert lines == [f"{reference.id_to_piece(i)} {i}" for i in range(256)] + ["<blk> 256"]


@pytest.mark.parametrize("data", [b"", b"\xff\xff nothing"])
def test_what_is_no_sentencepiece_model_is_refused(data: bytes) -> None:
    with pytest.raises(ArchiveError, match="tokenizer: expected"):
        read_model(data)
