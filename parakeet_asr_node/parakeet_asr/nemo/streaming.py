"""How an encoder may be fed: whole, or chunk by chunk with caches, and with which numbers."""

from __future__ import annotations

from dataclasses import replace

from parakeet_asr.core.model_spec import StreamingSpec, cache_aware_streaming
from parakeet_asr.errors import ArchiveError
from parakeet_asr.nemo.config import EncoderConfig, TransducerConfig


def streaming_spec(encoder: EncoderConfig) -> StreamingSpec:
    """The contract of an encoder: offline with full context, cache-aware when causal and ``chunked_limited``.

    The numbers are those of NeMo's ``setup_streaming_params``.

    Raises:
        ArchiveError: it is neither; naming the setting.
    """
    if encoder.attention_style == "chunked_limited":
        _require_causal(encoder)
        left, right = encoder.attention_context_steps
        return cache_aware_streaming(left, right, encoder.conv_context_steps[0], encoder.subsampling_factor)
    _require_whole(encoder)
    return StreamingSpec("offline")


def with_right_context(config: TransducerConfig, right_steps: int) -> TransducerConfig:
    """The same model with another of the right contexts that it was trained for: more accurate, or faster.

    Raises:
        ArchiveError: it was not trained for that one.
    """
    contexts = config.encoder.attention_contexts_steps
    chosen = [context for context in contexts if context[1] == right_steps]
    if not chosen:
        trained = ", ".join(str(right) for _, right in contexts)
        raise ArchiveError(
            f"a right context of {right_steps} steps: expected one that the model was trained for: {trained}"
        )
    return replace(config, encoder=replace(config.encoder, attention_contexts_steps=(chosen[0],)))


def _require_whole(encoder: EncoderConfig) -> None:
    sides = (encoder.conv_kernel_steps - 1) // 2
    _require("att_context_style", encoder.attention_style, "regular")
    _require("att_context_size", encoder.attention_context_steps, (-1, -1))
    _require("causal_downsampling", encoder.causal_downsampling, False)
    _require("conv_context_size", encoder.conv_context_steps, (sides, sides))


def _require_causal(encoder: EncoderConfig) -> None:
    _require("causal_downsampling", encoder.causal_downsampling, True)
    _require("conv_context_size", encoder.conv_context_steps, (encoder.conv_kernel_steps - 1, 0))
    left, right = encoder.attention_context_steps
    if right < 0 or left < 1 or left % (right + 1):
        raise ArchiveError(
            f"model_config.yaml: encoder.att_context_size: [{left}, {right}] is not supported, expected a "
            "right context of 0 or more steps and a left one that is a multiple of right + 1"
        )


def _require(name: str, came: object, expected: object) -> None:
    if came != expected:
        raise ArchiveError(
            f"model_config.yaml: encoder.{name}: {came!r} is not supported, expected {expected!r}: "
            "a model is either full-context, or causal with chunked_limited attention"
        )
