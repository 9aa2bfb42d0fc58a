"""Made models: the right size, the right pace, and usable like any other."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")
sentencepiece = pytest.importorskip("sentencepiece")
pytest.importorskip("onnxruntime")

from parakeet_asr.nemo.archive import open_archive  # noqa: E402
from parakeet_asr.nemo.config import parse_config  # noqa: E402
from parakeet_asr_tools.cli import main  # noqa: E402
from parakeet_asr_tools.making.calibration import TOKENS_PER_S, synthetic_sound  # noqa: E402
from parakeet_asr_tools.making.presets import PRESETS  # noqa: E402
from parakeet_asr_tools.nemo.vocabulary import pieces, sentencepiece_model  # noqa: E402


@pytest.mark.parametrize("size", [256, 8192])
def test_vocabulary(size: int) -> None:
    data = sentencepiece_model(size)
    assert data == sentencepiece_model(size)
    processor = sentencepiece.SentencePieceProcessor(model_proto=data)
    assert processor.get_piece_size() == size == len(set(pieces(size)))
    assert processor.unk_id() == 0
    text = "robot go to the kitchen now"
    assert processor.decode(processor.encode(text)) == text
    with pytest.raises(ValueError, match="expected at most"):
        pieces(10**6)


def test_v3_is_parakeet() -> None:
    preset = PRESETS["v3"]
    assert (preset.layers, preset.d_model, preset.heads, preset.vocabulary_size) == (24, 1024, 8, 8192)


def test_make_export_run(tmp_path: Path) -> None:
    """The demo preset, made, exported with float16 weights that lose nothing, and run by the runtime."""
    from parakeet_asr.loader import load_model

    archive, out = tmp_path / "made.nemo", tmp_path / "out"
    assert main(["make-nemo", "--preset", "demo", str(archive), "--seed", "5"]) == 0
    assert main(["export", str(archive), str(out), "--weights", "float16"]) == 0
    assert main(["repack", str(archive), str(tmp_path / "small.nemo"), "--float16"]) == 0
    with open_archive(archive) as opened:
        config = parse_config(opened.config)
        assert config.encoder.layers == PRESETS["demo"].layers
        vocabulary = opened.config["joint"]["vocabulary"]
        model_file = opened.file(config.tokenizer_reference)
        processor = sentencepiece.SentencePieceProcessor(model_proto=model_file)
        assert vocabulary == [processor.id_to_piece(i) for i in range(processor.get_piece_size())]
    model = load_model(out, threads=1)
    try:
        sound = synthetic_sound(16, seed=5)
        tokens = model.transcribe(np.asarray(sound)).token_ids
    finally:
        model.close()
    assert TOKENS_PER_S[0] <= len(tokens) / 16 <= TOKENS_PER_S[1]
    assert sentencepiece_model(256) == (out / "tokenizer.model").read_bytes()
