"""Which arithmetic runs where."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch
from torch import nn

from parakeet_asr.core.choices import PrecisionName
from parakeet_asr.engines.pytorch.model.encoder import Encoder

_HALVED = (nn.Linear, nn.Conv1d, nn.Conv2d)  # what autocast would cast at every call


def resolve_precision(precision: PrecisionName, device: torch.device) -> torch.dtype:
    """Of the encoder's products; ``auto`` is float16 on CUDA and float32 on the CPU."""
    if precision == "auto":
        return torch.float16 if device.type == "cuda" else torch.float32
    return {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}[precision]


def halve_products(encoder: Encoder, dtype: torch.dtype) -> None:
    """Store the weights of matrix products and convolutions as autocast reads them; norms stay float32.

    The numbers are autocast's own; half the memory, and nothing to cast at run time.
    """
    if dtype == torch.float32:
        return
    for module in encoder.modules():
        if isinstance(module, _HALVED):
            module.to(dtype)


def encoder_arithmetic(device: torch.device, dtype: torch.dtype) -> AbstractContextManager[object]:
    """The context in which the encoder runs."""
    if dtype == torch.float32:
        return nullcontext()
    # Weights have their type already; the cache would keep tensors of a captured graph alive.
    return torch.autocast(device.type, dtype, cache_enabled=False)
