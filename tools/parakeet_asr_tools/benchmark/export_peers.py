"""Export a .nemo for the peers, with NeMo itself; runs in NeMo's environment.

Called as ``python -m parakeet_asr_tools.benchmark.export_peers MODEL.nemo OUT_DIR``. Writes
``onnx_asr/`` (encoder, decoder_joint, vocab.txt, config.json) and ``sherpa_onnx/`` (encoder, decoder,
joiner, tokens.txt, with the metadata that its recognizer reads), both in float32.
"""

from __future__ import annotations

import functools
import json
import sys
from importlib import import_module
from pathlib import Path
from typing import Any


def main() -> None:
    """Export the model named on the command line."""
    model_path, out = Path(sys.argv[1]), Path(sys.argv[2])
    _use_torchscript_exporter()
    models = import_module("nemo.collections.asr.models")
    model = models.ASRModel.restore_from(str(model_path), map_location="cpu").eval()
    export_for_onnx_asr(model, out / "onnx_asr")
    export_for_sherpa_onnx(model, out / "sherpa_onnx")


def export_for_onnx_asr(model: Any, out: Path) -> None:
    """``model.export`` under the file names that onnx-asr looks for."""
    out.mkdir(parents=True, exist_ok=True)
    model.export(str(out / "model.onnx"))
    for part in ("encoder", "decoder_joint"):
        (out / f"{part}-model.onnx").stat()  # NeMo named them; fail here rather than when loading
    write_tokens(model, out / "vocab.txt")
    config = {
        "model_type": "nemo-conformer-tdt",
        "features_size": int(model.cfg.preprocessor.features),
        "subsampling_factor": int(model.cfg.encoder.subsampling_factor),
        "max_tokens_per_step": int(model.cfg.decoding.greedy.max_symbols),
    }
    (out / "config.json").write_text(json.dumps(config), encoding="utf-8")


def export_for_sherpa_onnx(model: Any, out: Path) -> None:
    """The three networks one by one, as sherpa-onnx's script for parakeet-tdt-0.6b-v3 does."""
    out.mkdir(parents=True, exist_ok=True)
    for part, name in (("encoder", "encoder"), ("decoder", "decoder"), ("joint", "joiner")):
        getattr(model, part).export(str(out / f"{name}.onnx"))
    write_tokens(model, out / "tokens.txt")
    metadata = {
        "vocab_size": model.decoder.vocab_size,
        "normalize_type": model.cfg.preprocessor.normalize,
        "pred_rnn_layers": model.decoder.pred_rnn_layers,
        "pred_hidden": model.decoder.pred_hidden,
        "subsampling_factor": model.cfg.encoder.subsampling_factor,
        "model_type": "EncDecRNNTBPEModel",
        "version": "2",
        "model_author": "NeMo",
        "url": "parakeet-tdt",  # "tdt" in here is how sherpa-onnx knows the decoder
        "comment": "transducer",
        "feat_dim": model.cfg.preprocessor.features,
    }
    onnx: Any = import_module("onnx")
    encoder = onnx.load(str(out / "encoder.onnx"))
    onnx.helper.set_model_props(encoder, {key: str(value) for key, value in metadata.items()})
    onnx.save(encoder, str(out / "encoder.onnx"))


def write_tokens(model: Any, path: Path) -> None:
    """``piece id`` per line, blank last."""
    pieces = [*model.joint.vocabulary, "<blk>"]
    path.write_text("".join(f"{piece} {token}\n" for token, piece in enumerate(pieces)), encoding="utf-8")


def _use_torchscript_exporter() -> None:
    """NeMo 2.6 passes dynamic axes, which PyTorch's newer default exporter does not take."""
    torch_onnx: Any = import_module("torch.onnx")
    torch_onnx.export = functools.partial(torch_onnx.export, dynamo=False)


if __name__ == "__main__":
    main()
