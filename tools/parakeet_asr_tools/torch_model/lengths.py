"""Valid lengths and masks, in whole numbers."""

from __future__ import annotations

import torch
from torch import Tensor


def halve_length(length: Tensor) -> Tensor:
    """Valid output rows of a stride-2, kernel-3, pad-1 convolution: ``(n - 1) // 2 + 1``, 0 for 0.

    Whole numbers on purpose: in float16 it is wrong from 2049 frames on.
    """
    return torch.div(length + 1, 2, rounding_mode="floor")


def valid_mask(length: Tensor, size: int) -> Tensor:
    """[batch, size] bool, true before each length."""
    return torch.arange(size, device=length.device)[None, :] < length[:, None]
