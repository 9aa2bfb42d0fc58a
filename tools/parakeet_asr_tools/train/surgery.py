"""Make another architecture of a trained model, near enough to it that training goes on instead of anew.

What is taken away is exact: layers, durations. What makes a model cache-aware is not: its weights are put
where they do what they did as far as a causal model can, and training has to do the rest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from parakeet_asr.errors import ConfigurationError
from parakeet_asr.nemo.config import EncoderConfig, parse_config
from parakeet_asr.nemo.streaming import streaming_spec, with_right_context
from parakeet_asr_tools.making.presets import DecoderName, decoder_settings

Weights = dict[str, Tensor]
Config = dict[str, Any]

SPEECH_LOG_MEL_MEAN = -10.0
SPEECH_LOG_MEL_STD = 4.0
"""Of recipe ``nemo`` without normalisation, over bands and time of 105 recordings of speech, rounded: a
cache-aware model cannot wait for an utterance's own statistics, so its first convolution takes these off.
"""


@dataclass(frozen=True, slots=True)
class Changes:
    """What to make different; the defaults leave a model as it is."""

    layers: tuple[int, ...] = ()  # keep these of the encoder, counted from 0; empty: all
    decoder: DecoderName | None = None
    # steps to the left and right of a cache-aware model; of several, each batch is trained with one
    attention_contexts: tuple[tuple[int, int], ...] = ()


def changed(
    config: Mapping[str, Any], weights: Mapping[str, Tensor], wanted: Changes
) -> tuple[Config, Weights]:
    """The configuration and weights of the changed model; what came in stays as it was.

    Args:
        config: ``model_config.yaml``.
        weights: the state dict.
        wanted: what to change.

    Raises:
        ConfigurationError: the model cannot be changed so.
        ArchiveError: a cache-aware model cannot have that attention context.
    """
    new_config, new_weights = deepcopy(dict(config)), dict(weights)
    if wanted.layers:
        _keep_layers(new_config, new_weights, wanted.layers)
    if wanted.decoder:
        _change_decoder(new_config, new_weights, wanted.decoder)
    if wanted.attention_contexts:
        _make_cache_aware(new_config, new_weights, wanted.attention_contexts)
    return new_config, new_weights


def _keep_layers(config: Config, weights: Weights, layers: tuple[int, ...]) -> None:
    count = parse_config(config).encoder.layers
    if not all(0 <= layer < count for layer in layers):
        raise ConfigurationError(f"layers: expected numbers from 0 to {count - 1}, got {list(layers)}")
    prefix = "encoder.layers."
    old = {name: weights.pop(name) for name in list(weights) if name.startswith(prefix)}
    places = {layer: place for place, layer in enumerate(layers)}
    for name, value in old.items():
        number, _, rest = name.removeprefix(prefix).partition(".")
        if int(number) in places:
            weights[f"{prefix}{places[int(number)]}.{rest}"] = value
    config["encoder"]["n_layers"] = len(layers)


def _change_decoder(config: Config, weights: Weights, decoder: DecoderName) -> None:
    """A TDT model loses its durations, the last outputs of its joint network."""
    parsed = parse_config(config)
    if parsed.kind == decoder:
        return
    if decoder == "tdt":
        raise ConfigurationError(
            "decoder: an RNNT model says nothing about durations, so no TDT model can be made of it; "
            "begin with one, or with --preset"
        )
    output, kept = f"joint.joint_net.{parsed.joint.output_index}", parsed.vocabulary_size + 1
    for name in (f"{output}.weight", f"{output}.bias"):
        weights[name] = weights[name][:kept].clone()
    config["joint"]["num_extra_outputs"] = 0
    decoding = {k: v for k, v in config["decoding"].items() if k not in ("model_type", "durations")}
    defaults = config.get("model_defaults") or {}
    config["model_defaults"] = {k: v for k, v in defaults.items() if not k.endswith("tdt_durations")}
    settings = decoder_settings([])
    config["decoding"] = {**decoding, **settings["decoding"]}
    config["loss"] = settings["loss"]


# --- cache-aware --------------------------------------------------------------------------------------


def _make_cache_aware(config: Config, weights: Weights, contexts: Sequence[tuple[int, int]]) -> None:
    """Causal convolutions, attention in chunks, features that are not normalised (see docs/decisions, 16)."""
    before = parse_config(config)
    config["encoder"] |= {
        "att_context_size": [list(context) for context in contexts],
        "att_context_style": "chunked_limited",
        "causal_downsampling": True,
        "conv_context_size": "causal",
    }
    config["preprocessor"]["normalize"] = "NA"
    for _, right in contexts:  # refuses what cannot be streamed
        streaming_spec(with_right_context(parse_config(config), right).encoder)
    if before.preprocessor.normalize == "per_feature":
        _take_statistics_off(weights)
    if not before.encoder.causal_downsampling:
        _move_bins(weights, before.encoder)
    for name in [name for name in weights if name.endswith(".depthwise_conv.weight")]:
        weights[name] = _causal_taps(weights[name], before.encoder.conv_context_steps)


def _take_statistics_off(weights: Weights) -> None:
    """Let the first convolution read log-mels instead of normalised ones: w (x - m) / s + b."""
    name = "encoder.pre_encode.conv.0."
    kernel = weights[f"{name}weight"].float() / SPEECH_LOG_MEL_STD
    shift = SPEECH_LOG_MEL_MEAN * kernel.sum(dim=(1, 2, 3))
    weights[f"{name}weight"] = kernel
    weights[f"{name}bias"] = weights[f"{name}bias"].float() - shift


def _move_bins(weights: Weights, encoder: EncoderConfig) -> None:
    """Causal subsampling pads frequency by 2 and 1, not 1 and 1, so it has a bin more, before the others.

    After three stages bin b is centred at mel 8 b - 7, where it was at 8 b: what was bin b is bin b + 1, but
    for one mel. In time the same shift is left to be: every step is late by 7 frames.
    """
    name, channels = "encoder.pre_encode.out.weight", encoder.subsampling_channels
    old = weights[name].reshape(len(weights[name]), channels, -1)
    bins = encoder.mels
    for _ in range(encoder.subsampling_stages):
        bins = bins // 2 + 1
    new = old.new_zeros(len(old), channels, bins)
    count = min(old.shape[2], bins - 1)
    new[:, :, 1 : 1 + count] = old[:, :, :count]
    weights[name] = new.flatten(1)


def _causal_taps(kernel: Tensor, context: tuple[int, int]) -> Tensor:
    """[channels, 1, k]: the tap of the present goes to the end, those of the past before it.

    What the convolution read of the future is gone.
    """
    _, future = context
    if not future:
        return kernel
    moved = torch.zeros_like(kernel)
    moved[:, :, future:] = kernel[:, :, : kernel.shape[2] - future]
    return moved
