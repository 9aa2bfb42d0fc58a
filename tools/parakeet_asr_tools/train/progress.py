"""What a training shows: a bar where somebody looks, lines where nobody does, and TensorBoard."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as Bar

from parakeet_asr.errors import ConfigurationError
from parakeet_asr_tools.console import errors
from parakeet_asr_tools.train.trainer import Observer, Trainer
from parakeet_asr_tools.train.word_errors import Score


class Progress(Observer):
    """Shows one training, as a context manager."""

    def __init__(self, trainer: Trainer, *, tensorboard: bool) -> None:
        """Raises ConfigurationError when TensorBoard is wanted and not installed."""
        self._trainer = trainer
        self._writer = _summary_writer(trainer) if tensorboard else None
        columns = (
            TextColumn("training"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"),
            TimeElapsedColumn(), TimeRemainingColumn(),
        )  # fmt: skip
        self._bar = Bar(*columns, console=errors, transient=True, disable=not errors.is_terminal)
        self._task = self._bar.add_task("", total=trainer.settings.steps)

    def __enter__(self) -> Progress:
        """Begin to show."""
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End, whatever happened."""
        self._bar.stop()
        if self._writer is not None:
            self._writer.close()

    def step(
        self, step: int, losses: Mapping[str, float], learning_rate: float, gradient_norm: float
    ) -> None:
        """See :class:`Observer`."""
        shown = "  ".join(f"{name} {value:.3f}" for name, value in losses.items() if value)
        self._bar.update(self._task, completed=step, description=shown)
        if not errors.is_terminal:
            errors.print(f"step {step}  {shown}  learning rate {learning_rate:.2e}  norm {gradient_norm:.2f}")
        if self._writer is not None:
            for name, value in losses.items():
                self._writer.add_scalar(f"loss/{name}", value, step)
            self._writer.add_scalar("learning_rate", learning_rate, step)
            self._writer.add_scalar("gradient_norm", gradient_norm, step)

    def evaluated(self, step: int, found: Mapping[str, Score]) -> None:
        """See :class:`Observer`."""
        shown = "  ".join(f"{name} {score.word_error_rate:.1%}" for name, score in sorted(found.items()))
        errors.print(f"step {step}  word error rate  {shown}")
        if self._writer is not None:
            for name, score in found.items():
                self._writer.add_scalar(f"word_error_rate/{name}", score.word_error_rate, step)


def _summary_writer(trainer: Trainer) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise ConfigurationError(
            "TensorBoard is not installed: pip install 'parakeet-asr-tools[train]', or --no-tensorboard"
        ) from error
    return SummaryWriter(str(trainer.folder / "tensorboard"))
