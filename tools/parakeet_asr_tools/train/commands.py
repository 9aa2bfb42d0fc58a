"""``parakeet-asr-tools train``: fine-tune a ``.nemo``, or train or distil a smaller model."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from parakeet_asr.errors import ConfigurationError
from parakeet_asr_tools.console import console
from parakeet_asr_tools.train.options import add_settings, settings

if TYPE_CHECKING:
    from parakeet_asr_tools.making.presets import DecoderName
    from parakeet_asr_tools.train.archive import Origin
    from parakeet_asr_tools.train.manifest import Utterance
    from parakeet_asr_tools.train.surgery import Changes
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
    model.add_argument(
        "--decoder", choices=("tdt", "rnnt"),
        help="with --preset: tdt by default; with --init: rnnt takes a TDT model's durations away",
    )  # fmt: skip
    model.add_argument(
        "--attention-context", nargs="+", default=[], metavar="LEFT,RIGHT",
        help="with --init: make it cache-aware, causal, with attention to so many steps of 80 ms, as in "
        "70,13; of several, each batch is trained with one, and `export --right-context` chooses",
    )  # fmt: skip
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
    add_settings(parser)
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> None:
    from parakeet_asr_tools.train.progress import Progress
    from parakeet_asr_tools.train.word_errors import print_scores

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
        _origin(arguments, train), Data(train, held_out), settings(arguments), arguments.out, teacher=teacher
    )


def _repeated(name: str) -> list[Utterance]:
    from parakeet_asr_tools.train.manifest import read_manifest

    path, _, times = name.rpartition(":")
    if path and times.isdecimal():
        return read_manifest(Path(path)) * int(times)
    return read_manifest(Path(name))


def _load(path: Path, changes: Changes | None = None) -> Origin:
    from parakeet_asr.nemo.archive import open_archive
    from parakeet_asr_tools.train.archive import from_archive

    with open_archive(path) as archive:
        return from_archive(archive, changes)


def _origin(arguments: argparse.Namespace, train: Sequence[Utterance]) -> Origin:
    from parakeet_asr_tools.making.presets import PRESETS
    from parakeet_asr_tools.train.archive import from_preset, train_tokenizer

    if arguments.init:
        return _load(arguments.init, _changes(arguments))
    for option in ("layers", "attention_context"):
        if getattr(arguments, option):
            raise ConfigurationError(
                f"--{option.replace('_', '-')}: changes the model that --init names; a preset has its own"
            )
    wanted = arguments.tokenizer or str(_PRESET_PIECES)
    if wanted.isdecimal():
        tokenizer = train_tokenizer(sorted({row.text for row in train}), int(wanted))
    else:
        tokenizer = _load(Path(wanted)).tokenizer
    decoder: DecoderName = arguments.decoder or "tdt"
    return from_preset(PRESETS[arguments.preset], decoder, tokenizer, arguments.seed or 0)


def _changes(arguments: argparse.Namespace) -> Changes:
    from parakeet_asr_tools.train.surgery import Changes

    contexts = [_numbers("--attention-context", text) for text in arguments.attention_context]
    if any(len(context) != 2 for context in contexts):
        raise ConfigurationError(
            f"--attention-context: expected pairs as in 70,6, got {' '.join(arguments.attention_context)!r}"
        )
    return Changes(
        layers=_numbers("--layers", arguments.layers),
        decoder=arguments.decoder,
        attention_contexts=tuple((left, right) for left, right in contexts),
    )


def _numbers(option: str, text: str | None) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(",")) if text else ()
    except ValueError as error:
        raise ConfigurationError(f"{option}: expected numbers as in 0,5,11, got {text!r}") from error
