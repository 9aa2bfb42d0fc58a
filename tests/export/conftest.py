"""Tiny models of every supported shape, made on the spot."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

TinyArchive = Callable[..., Path]


def tiny_config(
    *,
    durations: tuple[int, ...] = (0, 1, 2, 3, 4),
    xscaling: bool = False,
    use_bias: bool = False,
    conv_norm: str = "batch_norm",
    joint_dropout: float = 0.2,
) -> dict[str, Any]:
    """What NeMo would write for a model of two layers and 24 pieces."""
    return {
        "tokenizer": {"type": "bpe", "model_path": "nemo:tokenizer.model"},
        "preprocessor": {
            "sample_rate": 16000,
            "normalize": "per_feature",
            "window_size": 0.025,
            "window_stride": 0.01,
            "window": "hann",
            "features": 40,
            "n_fft": 512,
            "log": True,
        },
        "encoder": {
            "feat_in": 40,
            "n_layers": 2,
            "d_model": 32,
            "n_heads": 2,
            "subsampling": "dw_striding",
            "subsampling_factor": 8,
            "subsampling_conv_channels": 16,
            "self_attention_model": "rel_pos",
            "conv_kernel_size": 5,
            "use_bias": use_bias,
            "xscaling": xscaling,
            "conv_norm_type": conv_norm,
        },
        "decoder": {"vocab_size": 24, "prednet": {"pred_hidden": 20, "pred_rnn_layers": 2}},
        "joint": {
            "num_classes": 24,
            "num_extra_outputs": len(durations),
            "jointnet": {"joint_hidden": 28, "activation": "relu", "dropout": joint_dropout},
        },
        "decoding": {"durations": list(durations), "greedy": {"max_symbols": 10}},
        "nemo_version": "2.6.2",
    }


@pytest.fixture
def nemo_config() -> Callable[..., dict[str, Any]]:
    """:func:`tiny_config`."""
    return tiny_config


@pytest.fixture
def tiny_archive(tmp_path: Path) -> TinyArchive:
    """Writes a ``.nemo`` file of random weights; keywords are those of :func:`tiny_config`."""
    pytest.importorskip("torch")
    import yaml

    from parakeet_asr.nemo.config import parse_config
    from parakeet_asr_tools.making.random_model import random_transducer
    from parakeet_asr_tools.nemo.vocabulary import sentencepiece_model
    from parakeet_asr_tools.nemo.writing import write_archive

    def make(name: str = "tiny.nemo", seed: int = 0, **keywords: Any) -> Path:
        config = tiny_config(**keywords)
        model = random_transducer(parse_config(config), seed)
        text = yaml.safe_dump(config).encode()
        write_archive(tmp_path / name, text, model.state_dict(), {"tokenizer.model": sentencepiece_model(24)})
        return tmp_path / name

    return make
