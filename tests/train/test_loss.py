"""The losses against the sum over every single path, and against numbers that NeMo gave."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("parakeet_asr_tools")

from parakeet_asr_tools.train.loss import ctc_loss, distance, transducer_loss  # noqa: E402

STORED = Path(__file__).resolve().parents[1] / "data" / "nemo_losses.npz"
TDT = (0, 1, 2, 3, 4)


def paths(steps: int, tokens: int, durations: tuple[int, ...]) -> Iterator[list[tuple[int, int, int, bool]]]:
    """Every path as its arcs (t, u, duration, is a blank), found by walking, one at a time."""
    blanks = [d for d in durations if d] if durations else [1]
    labels = list(durations) if durations else [0]

    def walk(t: int, u: int) -> Iterator[list[tuple[int, int, int, bool]]]:
        for d in blanks:
            if t + d == steps and u == tokens:
                yield [(t, u, d, True)]
            elif t + d < steps:
                yield from ([(t, u, d, True), *rest] for rest in walk(t + d, u))
        for d in labels:
            if u < tokens and t + d < steps:
                yield from ([(t, u, d, False), *rest] for rest in walk(t + d, u + 1))

    return walk(0, 0)


def by_paths(logits, targets, steps: int, tokens: int, durations, sigma: float):
    """Negative log-likelihood of one utterance, [T, U + 1, logits] float64."""
    blank = logits.shape[-1] - len(durations) - 1
    written = logits[..., : blank + 1].log_softmax(-1) - sigma
    taken = logits[..., blank + 1 :].log_softmax(-1) if durations else None
    totals = []
    for path in paths(steps, tokens, durations):
        total = logits.new_zeros(())
        for t, u, d, is_blank in path:
            total = total + written[t, u, blank if is_blank else targets[u]]
            if taken is not None:
                total = total + taken[t, u, durations.index(d)]
        totals.append(total)
    return -torch.stack(totals).logsumexp(0)


@pytest.mark.parametrize(
    ("durations", "sigma"), [(TDT, 0.05), ((), 0.0), ((1, 2), 0.1), ((0, 1, 4), 0.0)], ids=str
)
def test_value_and_gradient_are_those_of_all_paths(durations: tuple[int, ...], sigma: float) -> None:
    torch.manual_seed(0)
    steps, tokens = torch.tensor([4, 3, 1, 4]), torch.tensor([3, 1, 0, 0])
    targets = torch.randint(0, 5, (4, 3))
    logits = torch.randn(4, 4, 4, 6 + len(durations), requires_grad=True)
    if durations == (1, 2):  # without duration 0 a text needs as many steps as tokens, and one
        tokens = torch.tensor([3, 1, 0, 0])
    ours = transducer_loss(logits, targets, steps, tokens, durations, sigma)
    (gradient,) = torch.autograd.grad(ours.sum(), logits)
    double = logits.detach().double().requires_grad_()
    expected = torch.stack(
        [by_paths(double[i], targets[i], int(steps[i]), int(tokens[i]), durations, sigma) for i in range(4)]
    )
    (expected_gradient,) = torch.autograd.grad(expected.sum(), double)
    torch.testing.assert_close(ours, expected.float(), rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(gradient, expected_gradient.float(), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("kind", ["tdt", "rnnt"])
def test_nemos_numbers(kind: str) -> None:
    """Stored by tests/parity/make_loss_data.py from NeMo 2.6.2's own losses."""
    stored = {name: torch.from_numpy(value) for name, value in np.load(STORED).items()}
    durations = TDT if kind == "tdt" else ()
    logits = stored[f"{kind}_logits"].requires_grad_()
    sigma = float(stored["sigma"]) if durations else 0.0
    loss = transducer_loss(logits, stored["targets"], stored["steps"], stored["tokens"], durations, sigma)
    (gradient,) = torch.autograd.grad(loss.sum(), logits)
    torch.testing.assert_close(loss, stored[f"{kind}_loss"], rtol=1e-5, atol=1e-4)
    torch.testing.assert_close(gradient, stored[f"{kind}_gradient"], rtol=1e-4, atol=1e-5)


def test_padding_does_not_count() -> None:
    torch.manual_seed(0)
    logits, targets = torch.randn(1, 9, 5, 11), torch.randint(0, 5, (1, 4))
    steps, tokens = torch.tensor([6]), torch.tensor([3])
    loss = transducer_loss(logits, targets, steps, tokens, TDT)
    assert loss == transducer_loss(logits[:, :6, :4], targets[:, :3], steps, tokens, TDT)
    logits[:, 6:] = 100.0
    logits[:, :, 4:] = -100.0
    assert loss == transducer_loss(logits, targets, steps, tokens, TDT)


def test_long_and_certain() -> None:
    """Nothing is lost where probabilities are extreme: one path of probability 1 costs nothing."""
    steps, tokens, blank = 400, 100, 7
    logits = torch.full((1, steps, tokens + 1, blank + 6), -200.0)
    logits[:, :, :tokens, 3] = 0.0  # token 3 with duration 4, a hundred times
    logits[:, :, tokens, blank] = 0.0
    logits[..., -1] = 0.0
    logits[:, steps - 4, :, -1] = 0.0
    targets = torch.full((1, tokens), 3)
    few = transducer_loss(logits[:, :, : tokens], targets[:, : tokens - 1], torch.tensor([steps]),
                          torch.tensor([tokens - 1]), TDT)  # fmt: skip
    assert few.item() == pytest.approx(200.0, abs=1.0)  # the last step must be a blank where a token is sure


def test_ctc_forgives_a_text_that_is_too_long() -> None:
    logits = torch.randn(2, 3, 6)
    loss = ctc_loss(logits, torch.tensor([[1, 1, 1], [1, 2, 0]]), torch.tensor([3, 3]), torch.tensor([3, 2]))
    assert loss[0] == 0
    assert loss[1] > 0


def test_distance_is_relative_and_looks_at_valid_steps_only() -> None:
    torch.manual_seed(0)
    teacher = torch.randn(1, 4, 8) * 5
    valid = torch.tensor([[True, True, True, False]])
    student = teacher.clone()
    student[:, 3] = 1e6
    assert distance(student, teacher, valid) == 0
    mean = teacher[:, :3].mean().expand(1, 4, 8)
    assert distance(mean, teacher, valid).item() == pytest.approx(1.0, abs=0.05)
