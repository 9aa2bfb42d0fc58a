"""Valid lengths and masks, in whole numbers."""

from __future__ import annotations

import torch
from torch import Tensor


def halve_length(length: Tensor, *, causal: bool = False) -> Tensor:
    """Valid output rows of a stride-2, kernel-3 convolution.

    Padded by 1 and 1: ``(n - 1) // 2 + 1``, 0 for 0. Causal, padded by 2 and 1: ``n // 2 + 1``.
    Whole numbers on purpose: in float16 it is wrong from 2049 frames on.
    """
    if causal:
        return torch.div(length, 2, rounding_mode="floor") + 1
    return torch.div(length + 1, 2, rounding_mode="floor")


def valid_mask(length: Tensor, size: int, first: Tensor | None = None) -> Tensor:
    """[batch, size] bool, true before each length, and from each ``first`` on where that is given."""
    places = torch.arange(size, device=length.device)[None, :]
    before = places < length[:, None]
    return before if first is None else before & (places >= first[:, None])


def chunk_mask(steps: int, left_steps: int, right_steps: int, device: torch.device | None = None) -> Tensor:
    """[steps, steps] bool: which keys a query sees in NeMo's ``chunked_limited`` attention.

    Steps come in chunks of ``right_steps + 1``; a query sees its own chunk and as many whole ones before
    it as make ``left_steps``.
    """
    chunk = torch.arange(steps, device=device) // (right_steps + 1)
    behind = chunk[:, None] - chunk[None, :]
    return (behind >= 0) & (behind <= left_steps // (right_steps + 1))
