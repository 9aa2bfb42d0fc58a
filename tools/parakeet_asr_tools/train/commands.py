"""``parakeet-asr-tools train``: fine-tune a ``.nemo``, or train or distil a smaller model."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from parakeet_asr.errors import ConfigurationError
from parakeet_asr_tools.console import console

if TYPE_CHECKING:
    from parakeet_asr_tools.train.archive import Origin
    from parakeet_asr_tools.train.augmentation import Augmentation
    from parakeet_asr_tools.train.manifest import Utterance
    from parakeet_asr_tools.train.settings import Settings
    from parakeet_asr_tools.train.trainer import Trainer

_PRESET_PIECES = 256


def add_parser(commands: Any) -> None:
    """Declare the command."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "train",
        help="fine-tune a .nemo archive, or train or distil a smaller model",
        description="Train a FastConformer transducer (TDT or RNNT) on JSONL manifests and write "
        "OUT/model.nemo, which NeMo restores and `export` takes. See docs/training.md.",
    )
    parser.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="for the model, log, checkpoint"
    )
    data = parser.add_argument_group("data")
    data.add_argument(
        "--train", action="append", required=True, metavar="MANIFEST[:TIMES]",
        help="JSON lines of audio, text, duration_s; TIMES lets a small one count more; may be repeated",
    )  # fmt: skip
    data.add_argument(
        "--evaluate", action="append", default=[], type=Path, metavar="MANIFEST",
        help="held-out utterances; word error rates are given per set; may be repeated",
    )  # fmt: skip
    model = parser.add_argument_group("model")
    source = model.add_mutually_exclusive_group(required=True)
    source.add_argument("--init", type=Path, metavar="MODEL.nemo", help="begin with this model's weights")
    source.add_argument(
        "--preset",
        choices=("tiny", "demo", "cache-aware", "v3"),
        help="begin with random weights of this size",
    )
    model.add_argument(
        "--layers", metavar="N,N,...", help="with --init: keep only these encoder layers, counted from 0"
    )
    model.add_argument("--decoder", choices=("tdt", "rnnt"), default="tdt", help="with --preset")
    model.add_argument(
        "--tokenizer", metavar="MODEL.nemo|PIECES",
        help="with --preset: take that model's tokenizer, or train one of so many pieces on the texts "
        f"(default: {_PRESET_PIECES})",
    )  # fmt: skip
    model.add_argument(
        "--teacher", type=Path, metavar="MODEL.nemo", help="a larger model whose encoder to come close to"
    )
    model.add_argument(
        "--float16", action="store_true", help="round the written weights to float16: half the size"
    )
    _add_settings(parser)
    parser.set_defaults(run=_run)


def _add_settings(parser: argparse.ArgumentParser) -> None:
    """Options whose names and defaults are those of :class:`Settings`; None leaves the default."""
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


_OPTIONS = (
    "steps", "learning_rate", "warmup_steps", "batch_s", "max_utterances", "weight_decay", "clip_norm",
    "ema_decay", "dropout", "ctc_weight", "teacher_weight", "sigma", "omega", "seed", "workers", "log_every",
    "checkpoint_every", "eval_every", "schedule", "precision", "device", "freeze_norm",
)  # fmt: skip


def _run(arguments: argparse.Namespace) -> None:
    from parakeet_asr_tools.train.progress import Progress, print_scores

    trainer = _trainer(arguments)
    with Progress(trainer, tensorboard=not arguments.no_tensorboard) as observer:
        trainer.observer = observer
        if arguments.resume:
            trainer.resume()
        elif arguments.evaluate:
            trainer.evaluate()
        trainer.run()
    path = trainer.write(float16=arguments.float16)
    if arguments.evaluate:
        print_scores("Word error rate of the averaged weights", trainer.evaluate())
    parameters = sum(value.numel() for value in trainer.model.transducer.parameters())
    console.print(f"{path}: {parameters / 1e6:.2f} M parameters, {path.stat().st_size / 1e6:.1f} MB")


def _trainer(arguments: argparse.Namespace) -> Trainer:
    import torch

    from parakeet_asr_tools.train.manifest import read_manifest
    from parakeet_asr_tools.train.trainer import Data, Trainer

    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    train = [row for name in arguments.train for row in _repeated(name)]
    held_out = [row for path in arguments.evaluate for row in read_manifest(path)]
    teacher = _load(arguments.teacher).transducer if arguments.teacher else None
    return Trainer(
        _origin(arguments, train), Data(train, held_out), _settings(arguments), arguments.out, teacher=teacher
    )


def _settings(arguments: argparse.Namespace) -> Settings:
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


def _repeated(name: str) -> list[Utterance]:
    from parakeet_asr_tools.train.manifest import read_manifest

    path, _, times = name.rpartition(":")
    if path and times.isdecimal():
        return read_manifest(Path(path)) * int(times)
    return read_manifest(Path(name))


def _load(path: Path, layers: Sequence[int] = ()) -> Origin:
    from parakeet_asr.nemo.archive import open_archive
    from parakeet_asr_tools.train.archive import from_archive

    with open_archive(path) as archive:
        return from_archive(archive, layers)


def _origin(arguments: argparse.Namespace, train: Sequence[Utterance]) -> Origin:
    from parakeet_asr_tools.making.presets import PRESETS
    from parakeet_asr_tools.train.archive import from_preset, train_tokenizer

    if arguments.init:
        return _load(arguments.init, _numbers(arguments.layers))
    if arguments.layers:
        raise ConfigurationError(
            "--layers: chooses layers of the model that --init names; a preset has its own"
        )
    wanted = arguments.tokenizer or str(_PRESET_PIECES)
    if wanted.isdecimal():
        tokenizer = train_tokenizer(sorted({row.text for row in train}), int(wanted))
    else:
        tokenizer = _load(Path(wanted)).tokenizer
    return from_preset(PRESETS[arguments.preset], arguments.decoder, tokenizer, arguments.seed or 0)


def _numbers(text: str | None) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(",")) if text else ()
    except ValueError as error:
        raise ConfigurationError(f"--layers: expected numbers as in 0,5,11, got {text!r}") from error
