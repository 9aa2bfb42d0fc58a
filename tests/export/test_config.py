"""NeMo's configuration is understood, or refused by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from parakeet_asr.errors import ArchiveError

pytest.importorskip("torch")

from parakeet_asr.engines.pytorch.model.transducer import load_transducer
from parakeet_asr.nemo.config import parse_config
from parakeet_asr.nemo.contract import contract

Config = Callable[..., dict[str, Any]]


def test_tdt(nemo_config: Config) -> None:
    config = parse_config(nemo_config())
    assert (config.kind, config.durations, config.logits_size) == ("tdt", (0, 1, 2, 3, 4), 30)
    assert config.encoder.conv_context_steps == (2, 2)
    assert config.encoder.attention_context_steps == (-1, -1)
    assert contract(config, name="x").encoder.streaming.kind == "offline"


def test_rnnt(nemo_config: Config) -> None:
    config = parse_config(nemo_config(durations=()))
    assert (config.kind, config.durations, config.logits_size) == ("rnnt", (), 25)


@pytest.mark.parametrize(
    ("section", "key", "value"),
    [
        ("preprocessor", "sample_rate", 8000),
        ("preprocessor", "n_fft", 1024),
        ("preprocessor", "normalize", "all_features"),
        ("encoder", "subsampling", "striding"),
        ("encoder", "self_attention_model", "abs_pos"),
        ("encoder", "untie_biases", False),
        ("encoder", "conv_norm_type", "group_norm"),
        ("encoder", "subsampling_factor", 3),
        ("encoder", "n_heads", 3),
        ("encoder", "conv_kernel_size", 4),
        ("decoder", "blank_as_pad", False),
        ("tokenizer", "type", "wpe"),
    ],
)
def test_unsupported_is_named(nemo_config: Config, section: str, key: str, value: object) -> None:
    config = nemo_config()
    config[section][key] = value
    with pytest.raises(ArchiveError, match=rf"{section}\.{key}: .*not supported"):
        parse_config(config)


@pytest.mark.parametrize(
    ("key", "value"),
    [("att_context_size", [70, 0]), ("causal_downsampling", True), ("conv_context_size", "causal")],
)
def test_half_streaming_encoder_is_refused(nemo_config: Config, key: str, value: object) -> None:
    config = nemo_config()
    config["encoder"][key] = value
    with pytest.raises(ArchiveError, match=f"encoder.{key}"):
        contract(parse_config(config), name="x")


@pytest.mark.parametrize(
    ("section", "key", "match"),
    [
        ("encoder", "n_layers", "encoder.n_layers: expected int, found None"),
        ("joint", "jointnet", "joint.jointnet: expected a mapping"),
        ("tokenizer", "model_path", "tokenizer.model_path: expected str"),
    ],
)
def test_missing_is_named(nemo_config: Config, section: str, key: str, match: str) -> None:
    config = nemo_config()
    del config[section][key]
    with pytest.raises(ArchiveError, match=match):
        parse_config(config)


def test_durations_must_fit_the_joint(nemo_config: Config) -> None:
    config = nemo_config()
    config["joint"]["num_extra_outputs"] = 4
    with pytest.raises(ArchiveError, match="5 entries, joint.num_extra_outputs is 4"):
        parse_config(config)


def test_weights_are_loaded_strictly(nemo_config: Config) -> None:
    from parakeet_asr_tools.making.random_model import random_transducer

    config = parse_config(nemo_config())
    weights = dict(random_transducer(config, 0).state_dict())
    load_transducer(config, {**weights, "preprocessor.featurizer.fb": weights["joint.enc.bias"]})
    with pytest.raises(ArchiveError, match="1 unknown, the first is 'encoder.extra'"):
        load_transducer(config, {**weights, "encoder.extra": weights["joint.enc.bias"]})
    with pytest.raises(ArchiveError, match="1 missing, the first is 'joint.enc.bias'"):
        load_transducer(config, {k: v for k, v in weights.items() if k != "joint.enc.bias"})
    with pytest.raises(ArchiveError, match=r"joint.enc.bias is \(3,\), expected \(28,\)"):
        load_transducer(config, {**weights, "joint.enc.bias": weights["joint.enc.bias"][:3]})
    with pytest.raises(ArchiveError, match=r"joint.enc.bias is torch.int64"):
        load_transducer(config, {**weights, "joint.enc.bias": weights["joint.enc.bias"].long()})
