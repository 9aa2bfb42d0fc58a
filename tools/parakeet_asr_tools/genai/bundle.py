"""The layout of a bundle for ONNX Runtime GenAI; ``model.json`` lets our own runtime load it, too."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from parakeet_asr.core.model_spec import ModelSpec
from parakeet_asr_tools.genai.configuration import audio_processor_config, check_supported, genai_config
from parakeet_asr_tools.genai.tokenizer import read_model, tokenizer_config, tokenizer_json, vocab_txt
from parakeet_asr_tools.onnx_export.genai_graphs import GENAI_GRAPHS
from parakeet_asr_tools.onnx_export.model_directory import Layout


def write_beside(spec: ModelSpec, folder: Path) -> None:
    """Write what GenAI needs beside the graphs.

    Args:
        spec: with its graphs.
        folder: holds the SentencePiece model; gets ``genai_config.json``, ``audio_processor_config.json``,
            ``tokenizer.json``, ``tokenizer_config.json`` and ``vocab.txt``.

    Raises:
        ArchiveError: the tokenizer is no SentencePiece model.
    """
    model = read_model((folder / spec.tokenizer).read_bytes())
    objects: dict[str, dict[str, Any]] = {
        "genai_config": genai_config(spec),
        "audio_processor_config": audio_processor_config(spec),
        "tokenizer": tokenizer_json(model),
        "tokenizer_config": tokenizer_config(model),
    }
    for name, content in objects.items():
        text = json.dumps(content, indent=2, ensure_ascii=False) + "\n"
        (folder / f"{name}.json").write_text(text, encoding="utf-8")
    (folder / "vocab.txt").write_text(vocab_txt(model), encoding="utf-8")


GENAI = Layout(GENAI_GRAPHS, check_supported, write_beside)
"""encoder.onnx, decoder.onnx and joint.onnx apart, and GenAI's own files."""
