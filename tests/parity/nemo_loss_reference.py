"""What the original NeMo's losses give for random logits; runs in NeMo's Python and imports nothing of ours.

    nemo_loss_reference.py OUT.npz SEED

NeMo's TDT loss for the CPU is its PyTorch one (the kernels need CUDA); it moves its table to a GPU by
itself, which is undone here. RNNT is the numba loss that NeMo trains with on a CPU.
"""

from __future__ import annotations

import sys

import numpy as np
import torch
from nemo.collections.asr.losses.rnnt import RNNTLossNumba
from nemo.collections.asr.losses.rnnt_pytorch import RNNTLossPytorch, TDTLossPytorch

BATCH, STEPS, TOKENS, VOCABULARY = 3, 11, 5, 7
DURATIONS = [0, 1, 2, 3, 4]
SIGMA = 0.05


def main() -> None:
    out, seed = sys.argv[1], int(sys.argv[2])
    torch.Tensor.cuda = lambda self, *_, **__: self  # type: ignore[method-assign]
    generator = torch.Generator().manual_seed(seed)
    targets = torch.randint(0, VOCABULARY, (BATCH, TOKENS), generator=generator)
    steps, tokens = torch.tensor([STEPS, STEPS - 3, STEPS - 1]), torch.tensor([TOKENS, 2, TOKENS - 1])
    found = {"targets": targets, "steps": steps, "tokens": tokens, "sigma": torch.tensor(SIGMA)}
    tdt = TDTLossPytorch(VOCABULARY, DURATIONS, "none", SIGMA)
    losses = {
        "tdt": (len(DURATIONS), tdt),
        "rnnt": (0, RNNTLossPytorch(VOCABULARY, "none")),
        "rnnt_numba": (0, RNNTLossNumba(VOCABULARY, "none")),
    }
    for name, (extra, loss) in losses.items():
        shape = (BATCH, STEPS, TOKENS + 1, VOCABULARY + 1 + extra)
        logits = torch.randn(shape, generator=generator) * 2
        logits.requires_grad_()
        costs = loss(acts=logits, labels=targets, act_lens=steps, label_lens=tokens)
        (gradient,) = torch.autograd.grad(costs.sum(), logits)
        found |= {
            f"{name}_logits": logits.detach(),
            f"{name}_loss": costs.detach(),
            f"{name}_gradient": gradient,
        }
    np.savez_compressed(out, **{name: value.numpy() for name, value in found.items()})


if __name__ == "__main__":
    main()
