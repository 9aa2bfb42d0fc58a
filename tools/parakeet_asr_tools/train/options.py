"""The command line's options of :class:`Settings`; those that are not given leave its defaults."""

from __future__ import annotations

import argparse
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from parakeet_asr.errors import ConfigurationError

if TYPE_CHECKING:
    from parakeet_asr_tools.train.augmentation import Augmentation
    from parakeet_asr_tools.train.settings import Settings

_OPTIONS = (
    "steps", "learning_rate", "warmup_steps", "batch_s", "max_utterances", "weight_decay", "clip_norm",
    "ema_decay", "dropout", "ctc_weight", "teacher_weight", "sigma", "omega", "seed", "workers", "log_every",
    "checkpoint_every", "eval_every", "schedule", "precision", "device", "freeze",
    "freeze_norm",
)  # fmt: skip


def add_settings(parser: argparse.ArgumentParser) -> None:
    """Declare them."""
    how = parser.add_argument_group("training")
    for name, kind, text in (
        ("steps", int, "optimizer steps in all (500)"),
        ("learning-rate", float, "the highest (2e-4)"),
        ("warmup-steps", int, "in which it rises (50)"),
        ("batch-s", float, "padded seconds of a batch (60)"),
        ("max-utterances", int, "of a batch (32)"),
        ("weight-decay", float, "of matrices (1e-3)"),
        ("clip-norm", float, "longest gradient (5)"),
        ("ema-decay", float, "of the averaged weights, which are evaluated and written (0.99); 0: none"),
        ("dropout", float, "probability (0.1)"),
        ("ctc-weight", float, "of a CTC helper on the encoder (0)"),
        ("teacher-weight", float, "of the distance to the teacher (1 with --teacher)"),
        ("sigma", float, "logit under-normalization of the TDT loss (0.02)"),
        ("omega", float, "share of batches with the RNNT loss of the same model (0.1)"),
        ("seed", int, "of everything that is drawn (0)"),
        ("workers", int, "processes that prepare batches (0: this one)"),
        ("log-every", int, "steps (10)"),
        ("checkpoint-every", int, "steps (200)"),
        ("eval-every", int, "steps (0: at the end only)"),
    ):
        how.add_argument(f"--{name}", type=kind, metavar="N" if kind is int else "X", help=text)
    how.add_argument("--schedule", choices=("cosine", "noam", "constant"), help="behind the warm-up (cosine)")
    how.add_argument(
        "--precision",
        choices=("float32", "bfloat16"),
        help="of matrix products (float32); losses are float32",
    )
    how.add_argument("--device", help="cpu or cuda (cuda where there is one)")
    how.add_argument(
        "--freeze", choices=("encoder", "decoder"), help="train only the rest; decoder: predictor and joint"
    )
    how.add_argument(
        "--freeze-norm",
        action="store_true",
        default=None,
        help="keep batch norms' statistics; for small data",
    )
    how.add_argument(
        "--augment", metavar="none|NAME=X,...",
        help="probabilities: speed, reverb, babble, noise, vtlp; counts of hidden blocks: mel_blocks, "
        "time_blocks (0.5, 0.2, 0.15, 0.4, 0.5; 2, 2)",
    )  # fmt: skip
    how.add_argument("--resume", action="store_true", help="go on from OUT's checkpoint, to the bit")
    how.add_argument("--threads", type=int, help="of the processor; as many as cores by default")
    how.add_argument("--no-tensorboard", action="store_true", help="write no OUT/tensorboard")


def settings(arguments: argparse.Namespace) -> Settings:
    """What was asked for.

    Raises:
        ConfigurationError: a value that cannot be meant.
    """
    import torch

    from parakeet_asr_tools.train.settings import Settings

    given = {name: getattr(arguments, name) for name in _OPTIONS if getattr(arguments, name) is not None}
    given.setdefault("device", "cuda" if torch.cuda.is_available() else "cpu")
    if arguments.teacher:
        given.setdefault("teacher_weight", 1.0)
    return Settings(**given, augmentation=_augmentation(arguments.augment))


def _augmentation(text: str | None) -> Augmentation:
    from parakeet_asr_tools.train.augmentation import Augmentation

    if text is None:
        return Augmentation()
    if text == "none":
        return Augmentation.none()
    known = {"speed": float, "reverb": float, "babble": float, "noise": float, "vtlp": float}
    counts = {"mel_blocks": int, "time_blocks": int}
    found: dict[str, Any] = {}
    for item in text.split(","):
        name, _, value = item.partition("=")
        try:
            found[name] = {**known, **counts}[name](value)
        except (KeyError, ValueError) as error:
            raise ConfigurationError(
                f"--augment: expected none or NAME=NUMBER of {', '.join([*known, *counts])}, got {item!r}"
            ) from error
    return replace(Augmentation(), **found)
