"""The losses of training: TDT, RNNT as its special case, CTC as a help, and closeness to a teacher."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from parakeet_asr_tools.train.lattice import ArcDurations, log_likelihood


def transducer_loss(
    logits: Tensor,
    targets: Tensor,
    steps: Tensor,
    tokens: Tensor,
    durations: tuple[int, ...] = (),
    sigma: float = 0.0,
) -> Tensor:
    """Negative log-likelihood of the targets (TDT: Xu et al., arXiv 2304.06795; RNNT without durations).

    Args:
        logits: [batch, T, U + 1, vocabulary + 1 + len(durations)] raw; the blank is the last of the tokens.
        targets: [batch, U] int64 token ids; what lies behind ``tokens`` does not matter.
        steps: [batch] int64 valid steps, 1..T.
        tokens: [batch] int64 valid targets, 0..U.
        durations: steps that a token may take; empty for RNNT.
        sigma: taken off every token's log probability, so that long jumps with few tokens are preferred
            (logit under-normalization, section 3.3 there); 0 for RNNT.

    Returns:
        [batch] float32.
    """
    blank = logits.shape[-1] - len(durations) - 1
    written = logits[..., : blank + 1].float()
    normalizer = written.logsumexp(dim=-1) + sigma
    index = functional.pad(targets, (0, 1))[:, None, :, None].expand(-1, logits.shape[1], -1, -1)
    log_blank = written[..., blank] - normalizer
    log_label = written.gather(3, index).squeeze(3) - normalizer
    if not durations:
        arcs = ArcDurations(blank=(1,), label=(0,))
        return -log_likelihood(log_blank[None], log_label[None], arcs, steps, tokens).float()
    taken = logits[..., blank + 1 :].float().log_softmax(dim=-1).movedim(3, 0)
    moving = [i for i, duration in enumerate(durations) if duration]
    arcs = ArcDurations(blank=tuple(durations[i] for i in moving), label=durations)
    return -log_likelihood(log_blank + taken[moving], log_label + taken, arcs, steps, tokens).float()


def ctc_loss(logits: Tensor, targets: Tensor, steps: Tensor, tokens: Tensor) -> Tensor:
    """Negative log-likelihood of CTC, [batch] float32; 0 for an utterance with too few steps for its text.

    Args:
        logits: [batch, T, vocabulary + 1] raw; the blank is the last.
        targets: [batch, U] int64.
        steps: [batch] int64.
        tokens: [batch] int64.
    """
    log_probabilities = logits.float().log_softmax(dim=-1).transpose(0, 1)
    blank = logits.shape[-1] - 1
    return functional.ctc_loss(
        log_probabilities, targets, steps, tokens, blank, reduction="none", zero_infinity=True
    )


def distance(student: Tensor, teacher: Tensor, valid: Tensor) -> Tensor:
    """Mean squared distance of two encoders' projections, relative to the teacher's variance; [].

    Args:
        student: [batch, T, size].
        teacher: [batch, T, size].
        valid: [batch, T] bool.
    """
    ours, theirs = student.float()[valid], teacher.float()[valid]
    return functional.mse_loss(ours, theirs) / theirs.var().clamp(min=1e-6)


@dataclass(frozen=True, slots=True)
class Losses:
    """What one batch costs, each [] and in nats per token where it is a likelihood."""

    total: Tensor
    transducer: Tensor
    ctc: Tensor
    teacher: Tensor

    @staticmethod
    def names() -> tuple[str, ...]:
        """In the order of :meth:`stacked`."""
        return ("total", "transducer", "ctc", "teacher")

    def stacked(self) -> Tensor:
        """[4], without gradients."""
        return torch.stack([getattr(self, name).detach() for name in self.names()])
