"""What a Conformer layer needs to know of the steps around those it computes."""

from __future__ import annotations

from typing import Protocol

from parakeet_asr.engines.pytorch.model.attention import RelativeAttention


class Surroundings(Protocol):
    """Values of a graph, shared by all layers, and where context comes from."""

    convolution_mask: str  # [batch, queries, 1] float32: 1.0 for valid steps
    score_mask: str  # [batch or 1, 1, queries or 1, keys]: 0.0 where visible, else hugely negative
    rows_of_queries: str  # [4] int64: shape [0, 0, -1, queries]
    queries_of_rows: str  # [4] int64: shape [0, 0, queries, -1]
    keys: str  # [1] int64

    def attention_context(self, x: str) -> str:
        """[batch, queries, d_model] -> [batch, keys, d_model], whose last steps are ``x``."""
        ...

    def positions(self, module: RelativeAttention) -> str:
        """Projected sinusoids of the distances ``keys ... -(queries - 1)``, [1, heads, size, distances]."""
        ...

    def convolution_context(self, x: str, context: tuple[int, int]) -> tuple[str, list[int]]:
        """[batch, d_model, 1, queries] with what lies before it, and the padding that is still missing.

        Args:
            x: what the depthwise convolution reads.
            context: steps before and behind that it sees.
        """
        ...
