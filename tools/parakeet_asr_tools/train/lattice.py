"""Sums over all paths through a transducer's lattice, whole rows at a time.

A node is (step t, tokens written u). A blank arc of duration d leads from (t, u) to (t + d, u), a label arc
to (t + d, u + 1). A path begins at (0, 0) and ends with a blank arc that arrives exactly at (T, U); labels
must arrive before T. With blank arcs of duration 1 and label arcs of duration 0 this is the lattice of RNNT
(Graves, arXiv 1211.3711); with all durations it is that of TDT (Xu et al., arXiv 2304.06795, section 3.1).

Within a row only label arcs of duration 0 lead from one node to the next. With S(u) the sum of their weights
before u, the recursion ``a(u) = logaddexp(arriving(u), a(u - 1) + w(u - 1))`` has the closed form
``a = S + logcumsumexp(arriving - S)``: a lattice takes T steps on the host, not T * U. In float64, because S
is large and what counts is small. Forward and backward sums run in one pass, the second as further rows of
the batch on the lattice read from its end.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

_CLOSED = -1e9
"""The weight of an arc that is not there where -inf would turn sums of weights into nan; exp of it is 0."""


@dataclass(frozen=True, slots=True)
class ArcDurations:
    """Steps that arcs may take, in the order of their weights."""

    blank: tuple[int, ...]  # each 1 or more
    label: tuple[int, ...]  # each 0 or more

    @property
    def longest(self) -> int:
        """The longest of all."""
        return max(self.blank + self.label)


def log_likelihood(
    blank: Tensor, label: Tensor, durations: ArcDurations, steps: Tensor, tokens: Tensor
) -> Tensor:
    """Log of the sum over all paths of the product of their arcs' weights.

    Args:
        blank: [len(durations.blank), batch, T, U + 1] log weights of the arcs that begin at (t, u).
        label: [len(durations.label), batch, T, U + 1] likewise; the last column is not used.
        durations: what the first axes mean.
        steps: [batch] int64, 1..T of each utterance.
        tokens: [batch] int64, 0..U of each utterance.

    Returns:
        [batch] float64, differentiable in ``blank`` and ``label``; -1e9 or less where there is no path.
    """
    total: Tensor = _LogLikelihood.apply(blank, label, durations, steps, tokens)  # type: ignore[no-untyped-call]
    return total


class _LogLikelihood(torch.autograd.Function):
    """The gradient of the sum in an arc's weight is the probability that a path takes the arc."""

    @staticmethod
    def forward(
        ctx: Any, blank: Tensor, label: Tensor, durations: ArcDurations, steps: Tensor, tokens: Tensor
    ) -> Tensor:
        forward, backward = _open(blank, label, durations, steps, tokens)
        total, blank_share, label_share = _sums(forward, backward, durations, steps, tokens)
        ctx.save_for_backward(blank_share.to(blank.dtype), label_share.to(label.dtype))
        return total

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        blank_share, label_share = ctx.saved_tensors
        outer = gradients[0][None, :, None, None].to(blank_share.dtype)
        return outer * blank_share, outer * label_share, None, None, None


@dataclass(frozen=True, slots=True)
class _Arcs:
    """Weights by where the arcs begin: [durations, batch, T, U + 1] float64; -inf: no arc."""

    blank: Tensor
    label: Tensor


def _open(
    blank: Tensor, label: Tensor, durations: ArcDurations, steps: Tensor, tokens: Tensor
) -> tuple[_Arcs, _Arcs]:
    """The lattice of each utterance inside of the batch's, and the same read from its end."""
    size, columns = blank.shape[2:]
    step = torch.arange(size, device=blank.device)[None, :, None]
    token = torch.arange(columns, device=blank.device)[None, None, :]
    last_step, last_token = steps[:, None, None], tokens[:, None, None]

    def kept(weights: Tensor, lengths: tuple[int, ...], *, is_label: bool) -> Tensor:
        end = step + torch.tensor(lengths, device=blank.device)[:, None, None, None]
        if is_label:
            inside = (end < last_step) & (token < last_token) & (step < last_step)
        else:
            inside = (end <= last_step) & (token <= last_token)
        return weights.double().masked_fill(~inside, -torch.inf)

    forward = _Arcs(kept(blank, durations.blank, is_label=False), kept(label, durations.label, is_label=True))
    rows = torch.arange(size + 1, device=blank.device)[None, :, None]
    there_step, there_token = last_step - rows, last_token - token  # [batch, T + 1, U + 1] by broadcasting
    inside = (there_step >= 0) & (there_step < size) & (there_token >= 0)
    index = (there_step.clamp(0, size - 1) * columns + there_token.clamp(min=0)).flatten(1)

    def reversed_arcs(weights: Tensor) -> Tensor:
        picked = weights.flatten(2).gather(2, index.expand(len(weights), -1, -1))
        return picked.reshape(*picked.shape[:2], size + 1, columns).masked_fill(~inside, -torch.inf)

    return forward, _Arcs(reversed_arcs(forward.blank), reversed_arcs(forward.label))


def _sums(
    forward: _Arcs, backward: _Arcs, durations: ArcDurations, steps: Tensor, tokens: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """The total, and the share of it that runs through every arc."""
    batch, size, columns = forward.blank.shape[1:]
    arriving = _Arcs(
        torch.cat((_arrivals(forward.blank, durations.blank, 0), backward.blank), dim=1),
        torch.cat((_arrivals(forward.label, durations.label, 1), backward.label), dim=1),
    )
    table = _scan(arriving, durations)
    before, behind = table[:, :batch], table[:, batch:]
    rows = torch.arange(size + 1, device=table.device)[:, None, None]
    token = torch.arange(columns, device=table.device)[None, None, :]
    there_row, there_token = steps[None, :, None] - rows, tokens[None, :, None] - token
    utterance = torch.arange(batch, device=table.device)[None, :, None]
    behind = behind[there_row.clamp(min=0), utterance, there_token.clamp(min=0)]
    behind = behind.masked_fill((there_row < 0) | (there_token < 0), -torch.inf)  # by (t, u) from here on
    total = behind[0, :, 0]
    padded = torch.nn.functional.pad(behind, (0, 1, 0, 0, 0, durations.longest), value=-torch.inf)
    start = before[:size] - total[None, :, None]

    def share(weights: Tensor, lengths: tuple[int, ...], shift: int) -> Tensor:
        parts = [
            start + weights[i].transpose(0, 1) + padded[d : d + size, :, shift : shift + columns]
            for i, d in enumerate(lengths)
        ]
        return torch.stack(parts).exp().transpose(1, 2)

    return total, share(forward.blank, durations.blank, 0), share(forward.label, durations.label, 1)


def _arrivals(weights: Tensor, lengths: tuple[int, ...], shift: int) -> Tensor:
    """From the weights by where arcs begin to those by where they end, one row more: [.., T + 1, U + 1]."""
    size, columns = weights.shape[2:]
    moved = weights.new_full((*weights.shape[:2], size + 1, columns), -torch.inf)
    for i, d in enumerate(lengths):
        count = min(size, size + 1 - d)
        if count > 0:
            moved[i, :, d : d + count, shift:] = weights[i, :, :count, : columns - shift]
    return moved


def _scan(arriving: _Arcs, durations: ArcDurations) -> Tensor:
    """Fill the table of sums row by row: [T + 1, batch, U + 1]."""
    _, batch, rows, columns = arriving.blank.shape
    longest = durations.longest
    moving = [i for i, d in enumerate(durations.label) if d]
    weights = torch.cat((arriving.blank, arriving.label[moving])).permute(2, 0, 1, 3)
    holds = _holding_sums(arriving, durations)
    table = weights.new_full((longest + rows, batch, columns + 1), -torch.inf)  # rows and a column before
    device = table.device
    blank_back = torch.tensor(durations.blank, device=device)
    label_back = torch.tensor([durations.label[i] for i in moving], device=device, dtype=torch.int64)
    start = weights.new_full((batch, columns), -torch.inf)
    start[:, 0] = 0.0
    for row in range(rows):
        here = longest + row
        if row:
            before = torch.cat((table[here - blank_back, :, 1:], table[here - label_back, :, :-1]))
            start = torch.logsumexp(before + weights[row], dim=0)
        if holds is not None:
            start = holds[row] + torch.logcumsumexp(start - holds[row], dim=1)
        table[here, :, 1:] = start
    return table[longest:, :, 1:]


def _holding_sums(arriving: _Arcs, durations: ArcDurations) -> Tensor | None:
    """Sums of the weights of duration 0 up to each node, [T + 1, batch, U + 1]; None where there are none."""
    if 0 not in durations.label:
        return None
    weights = arriving.label[durations.label.index(0)].clone()
    weights[:, :, 0] = 0.0
    return weights.clamp(min=_CLOSED).cumsum(dim=2).transpose(0, 1)
