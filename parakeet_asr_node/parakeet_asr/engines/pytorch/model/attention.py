"""Self-attention with relative positions (Transformer-XL: Dai et al., arXiv 1901.02860, section 3.3)."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from parakeet_asr.nemo.config import EncoderConfig

MASKED_SCORE = -10000.0
"""What a score outside of the visible steps becomes; exp of it is 0 and it fits into float16."""


def relative_positions(queries: int, keys: int, d_model: int, device: torch.device | None = None) -> Tensor:
    """Sinusoids of the distances from the last ``queries`` of ``keys`` steps to all of them.

    Returns:
        [queries + keys - 1, d_model] for ``keys - 1 ... -(queries - 1)``, sin and cos in turn.
    """
    distance = torch.arange(keys - 1, -queries, -1, dtype=torch.float32, device=device)[:, None]
    places = torch.arange(0, d_model, 2, dtype=torch.float32, device=device)
    frequency = torch.exp(places * -(math.log(10000.0) / d_model))
    angle = distance * frequency
    return torch.stack((angle.sin(), angle.cos()), dim=2).flatten(1)


def relative_shift(scores: Tensor) -> Tensor:
    """Turn [..., query, distance] into [..., query, key]: ``out[i, j] = in[i, queries - 1 - i + j]``."""
    queries, distances = scores.shape[-2:]
    keys = distances - queries + 1
    if queries == 1:
        return scores
    flat = scores.flatten(-2)[..., queries - 1 :]
    rows = flat[..., : queries * (distances - 1)].reshape(*scores.shape[:-2], queries, distances - 1)
    return rows[..., :keys]


class RelativeAttention(nn.Module):
    """Multi-head attention whose scores have a content part and a position part."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        size, heads = config.d_model, config.heads
        self.heads = heads
        self.linear_q = nn.Linear(size, size, bias=config.use_bias)
        self.linear_k = nn.Linear(size, size, bias=config.use_bias)
        self.linear_v = nn.Linear(size, size, bias=config.use_bias)
        self.linear_out = nn.Linear(size, size, bias=config.use_bias)
        self.linear_pos = nn.Linear(size, size, bias=False)
        self.pos_bias_u = nn.Parameter(torch.zeros(heads, size // heads))
        self.pos_bias_v = nn.Parameter(torch.zeros(heads, size // heads))

    def forward(self, x: Tensor, context: Tensor, positions: Tensor, visible: Tensor) -> Tensor:
        """Attend.

        Args:
            x: [batch, queries, d_model].
            context: [batch, keys, d_model] what is attended to; its last steps are ``x``.
            positions: of :func:`relative_positions`.
            visible: [batch, queries or 1, keys] bool.

        Returns:
            Like ``x``.
        """
        query = self.linear_q(x).reshape(*x.shape[:2], self.heads, -1)
        key = self._split(self.linear_k(context))
        value = self._split(self.linear_v(context))
        position = self._split(self.linear_pos(positions)[None])
        content = (query + self.pos_bias_u).transpose(1, 2) @ key.transpose(2, 3)
        placed = (query + self.pos_bias_v).transpose(1, 2) @ position.transpose(2, 3)
        scores = (content + relative_shift(placed)) / math.sqrt(query.shape[-1])
        scores = scores.masked_fill(~visible[:, None], MASKED_SCORE)
        mixed = scores.softmax(dim=-1) @ value
        out: Tensor = self.linear_out(mixed.transpose(1, 2).flatten(2))
        return out

    def _split(self, x: Tensor) -> Tensor:
        """[batch, steps, d_model] -> [batch, heads, steps, head_size]."""
        return x.reshape(*x.shape[:2], self.heads, -1).transpose(1, 2)
