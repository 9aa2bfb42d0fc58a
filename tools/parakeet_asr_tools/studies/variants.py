"""Variants of a model: size, memory, errors and speed of each, on the same recordings in one run."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from parakeet_asr.model_directory import read_model_directory, resolve_model
from parakeet_asr_tools.benchmark.accuracy import agreement, word_error_rate
from parakeet_asr_tools.commands.optimize import METHODS
from parakeet_asr_tools.studies.speech import speech_folder
from parakeet_asr_tools.studies.variant_makers import RANDOM, Maker, as_it_is, bundle, changed, random_model
from parakeet_asr_tools.studies.variant_rounds import Found, hear_in_turns
from parakeet_asr_tools.train.manifest import Utterance, read_manifest, split

if TYPE_CHECKING:
    from parakeet_asr_tools.optimizing.quantization import Method

NAME = "variants"
HELP = (
    "size, memory, word errors and speed of fused, INT8, INT4 and FP16 variants, GenAI bundles, small models"
)
OUTPUT = Path("out/variants")
HELD_OUT_EVERY = 5  # of each set: what the trained small models were not trained on (docs/training.md)
MADE = ("fused", *METHODS, "fp16")
HEADER = (
    "variant", "files it opens, MB", "memory loaded / after speech / highest, MB",
    "WER, %", "WER of held out, %", "utterances as float32, %", "encoder's cosine to float32, worst",
    "computing, ms per s of audio", "against float32", "computing of a final, median / p95, ms",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Variant:
    """One row of the table."""

    name: str
    make: Maker
    trained: bool = True  # else random weights, whose word errors say nothing
    akin: bool = True  # the first model's weights in another form, so that their encoders can be compared


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this study."""
    parser.add_argument("--model", default="demo", help="model directory or name (demo)")
    parser.add_argument("--nemo", type=Path, help="its archive, for the GenAI bundle (the one beside it)")
    parser.add_argument(
        "--methods", nargs="*", choices=MADE, default=list(MADE), help="what is made of the model (all)"
    )
    parser.add_argument(
        "--beside", nargs="*", default=[], help="directories made of it before, measured as they are"
    )
    parser.add_argument(
        "--also",
        nargs="*",
        default=["tiny"],
        help="more model directories or names, each in INT8, too (tiny)",
    )
    parser.add_argument(
        "--random", nargs="*", choices=tuple(RANDOM), default=list(RANDOM), help="models of random weights"
    )
    parser.add_argument("--speech", type=Path, help="folder with manifest.jsonl")
    parser.add_argument("--every", type=int, default=1, help="hear every n-th recording (1)")
    parser.add_argument("--output", type=Path, default=OUTPUT, help=f"where variants are made ({OUTPUT})")


def run(arguments: argparse.Namespace) -> Iterator[Sequence[str]]:
    """Rows of the table, the header first."""
    yield HEADER
    utterances = read_manifest((arguments.speech or speech_folder()) / "manifest.jsonl")
    _, held_out = split(utterances, HELD_OUT_EVERY)
    chosen = utterances[:: arguments.every]
    arguments.output.mkdir(parents=True, exist_ok=True)
    made = []
    for variant in variants(arguments):
        _tell(f"making {variant.name}")
        made.append((variant, variant.make(arguments.output)))
    found = hear_in_turns([directory for _, directory in made], [row.audio for row in chosen], _tell)
    for (variant, directory), one in zip(made, found, strict=True):
        yield row(variant, directory, one, chosen, set(held_out), found[0])


def variants(arguments: argparse.Namespace) -> Iterator[Variant]:
    """What is measured, float32 first."""
    model = resolve_model(arguments.model)
    yield Variant("float32", as_it_is(model))
    for method in arguments.methods:
        yield Variant(_label(method), changed(model, method))
    for name in arguments.beside:
        other = resolve_model(name)
        yield Variant(other.name, as_it_is(other))
    archive = arguments.nemo or model / f"{model.name}.nemo"
    if archive.is_file():
        yield Variant("GenAI bundle, float32", bundle(archive))
        for method in filter(METHODS.__contains__, arguments.methods):
            made = changed(arguments.output / "genai", method, f"genai-{method}")
            yield Variant(f"GenAI bundle, `{method}`", made)
    for name in arguments.also:
        other = resolve_model(name)
        yield Variant(other.name, as_it_is(other), akin=False)
        made = changed(other, "int8-dynamic", f"{other.name}-int8")
        yield Variant(f"{other.name}, `int8-dynamic`", made, akin=False)
    for name in arguments.random:
        yield Variant(f"{name}, random weights", random_model(name), trained=False, akin=False)


def row(
    variant: Variant,
    directory: Path,
    found: Found,
    utterances: Sequence[Utterance],
    held_out: set[Utterance],
    reference: Found,
) -> tuple[str, ...]:
    """One variant, as printed in the order of ``HEADER``."""
    files = read_model_directory(directory, verify=False).files
    size_mb = sum(file.bytes for name, file in files.items() if not _unused(name, files)) / 1e6
    pairs = list(zip(utterances, found.texts, strict=True))
    apart = [pair for pair in pairs if pair[0] in held_out]
    seconds = sum(one.duration_s for one in utterances)
    final_ms = 1000 * np.percentile(found.compute_s, (50, 95))
    return (
        variant.name,
        f"{size_mb:.1f}",
        f"{found.loaded_mb:.0f} / {found.resident_mb:.0f} / {found.peak_mb:.0f}",
        _errors(pairs) if variant.trained else "-",
        _errors(apart) if variant.trained else "-",
        f"{100 * agreement(reference.tokens, found.tokens).equal:.1f}" if variant.trained else "-",
        _likeness(found, reference) if variant.akin else "-",
        f"{1000 * sum(found.compute_s) / seconds:.2f}",
        f"{ratio(found, reference):.2f}",
        f"{final_ms[0]:.0f} / {final_ms[1]:.0f}",
    )


def ratio(found: Found, reference: Found) -> float:
    """Processor time against the reference's: the median over rounds, so that one disturbed moves nothing."""
    pairs = zip(found.rounds_s, reference.rounds_s, strict=True)
    return float(np.median([mine / theirs for mine, theirs in pairs]))


def _errors(pairs: Sequence[tuple[Utterance, str]]) -> str:
    if not pairs:
        return "-"
    return f"{100 * word_error_rate([one.text for one, _ in pairs], [text for _, text in pairs]):.2f}"


def _likeness(found: Found, reference: Found) -> str:
    """The worst cosine over rounds; none where one of the encoders leaves its last product to the joint."""
    from parakeet_asr_tools.precision.comparison import cosine

    pairs = list(zip(found.encoded, reference.encoded, strict=True))
    if not pairs or any(mine.shape != theirs.shape for mine, theirs in pairs):
        return "-"
    return f"{min(cosine(mine, theirs) for mine, theirs in pairs):.4f}"


def _label(method: str) -> str:
    from parakeet_asr_tools.optimizing.quantization import METHODS as LABELS

    named = {"fused": "float32, fused", "fp16": "FP16 graphs (`convert-precision`)"}
    return named.get(method) or f"{LABELS[cast('Method', method)].split(',')[0]} `{method}`"


def _unused(name: str, files: Any) -> bool:
    """Whether our runtime does not open a file: the halves of the decoder where it has the whole."""
    return "decoder_step.onnx" in files and name in ("predictor.onnx", "joint.onnx")


def _tell(what: str) -> None:
    print(what, file=sys.stderr, flush=True)
