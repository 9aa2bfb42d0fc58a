"""The blank guard: holes that it fills when the decoder is forced to be silent, words that it invents."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from parakeet_asr.core.guard import BlankGuard, GuardOptions
from parakeet_asr.core.recognizer import Recognizer
from parakeet_asr.core.tokenizer import starts_word
from parakeet_asr.engines.silero import SileroDetector
from parakeet_asr.loader import Model, load_model
from parakeet_asr.records import SAMPLE_RATE_HZ, FloatArray, Token
from parakeet_asr_tools.benchmark.accuracy import word_error_rate, words
from parakeet_asr_tools.studies import noise
from parakeet_asr_tools.studies.speech import Spoken, concatenate, read_speech

NAME = "guard"
HELP = "tokens taken away at the decoder's exit: how much the guard brings back, and what it invents"
LONG_S = 20.0  # recordings joined to this length, so that holes have speech on both sides
HOLE_S = (1.5, 3.0, 6.0)
NOISE_S, LEVELS_DB = 30.0, (-40.0, -20.0)
SETTINGS = (
    GuardOptions(),
    GuardOptions(hole_s=0.7),
    GuardOptions(speech_threshold=0.5),
    GuardOptions(speech_threshold=0.8),
    GuardOptions(min_confidence=0.3),
    GuardOptions(min_confidence=0.7),
    GuardOptions(margins_s=(0.3,)),
)
HEADER = (
    "setting", "holes", "filled, %", "words taken", "came back as they were, %",
    "WER whole, %", "with holes, %", "guarded, %", "untouched: holes tried", "filled", "WER, %",
    "noise: tried", "words invented",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Blanked:
    """A recording with what its decoder is made to leave out."""

    spoken: Spoken
    whole: tuple[Token, ...]
    kept: tuple[Token, ...]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this study."""
    parser.add_argument("--recordings", type=int, default=12, help="of 20 s each (12)")


def run(arguments: argparse.Namespace) -> Iterator[Sequence[str]]:
    """Rows of the table, the header first."""
    speech = read_speech()
    yield HEADER
    with load_model("demo", threads=1, guard=None) as model:
        long = [concatenate(speech, LONG_S, seed=seed) for seed in range(arguments.recordings)]
        cases = [blank(model, one, HOLE_S[i % len(HOLE_S)], i) for i, one in enumerate(long)]
        sounds = [noise.make(kind, NOISE_S, level) for kind in noise.KINDS for level in LEVELS_DB]
        silent = [(sound, model.recognizer.decode_alone(sound)) for sound in sounds]
        for options in SETTINGS:
            yield _row(model.recognizer, options, cases, silent)


def blank(model: Model, spoken: Spoken, hole_s: float, seed: int) -> Blanked:
    """Take away the words that begin in one stretch, at the seam between decoder and guard."""
    recognizer = model.recognizer
    whole = recognizer.decode_alone(spoken.samples)
    latest_s = len(spoken.samples) / SAMPLE_RATE_HZ - hole_s
    start_s = float(np.random.default_rng(seed).uniform(0.0, latest_s))
    inside = range(int(start_s / recognizer.step_s), int((start_s + hole_s) / recognizer.step_s))
    kept: list[Token] = []
    word_step = 0
    for token in whole:
        if starts_word(recognizer.tokenizer.pieces[token.id]):
            word_step = token.start_step
        if word_step not in inside:
            kept.append(token)
    return Blanked(spoken, whole, tuple(kept))


def _row(
    recognizer: Recognizer,
    options: GuardOptions,
    cases: Sequence[Blanked],
    silent: Sequence[tuple[FloatArray, tuple[Token, ...]]],
) -> tuple[str, ...]:
    def text(case: Blanked, tokens: tuple[Token, ...]) -> str:
        return recognizer.transcription(tokens, len(case.spoken.samples)).text

    guard, calm, noisy = (BlankGuard(SileroDetector, options) for _ in range(3))
    guarded = [guard.recover(c.spoken.samples, c.kept, 0, recognizer) for c in cases]
    untouched = [calm.recover(c.spoken.samples, c.whole, 0, recognizer) for c in cases]
    invented = [noisy.recover(sound, tokens, 0, recognizer) for sound, tokens in silent]
    whole = [text(c, c.whole) for c in cases]
    kept = [text(c, c.kept) for c in cases]
    filled = [text(c, tokens) for c, tokens in zip(cases, guarded, strict=True)]
    taken = sum(len(words(a)) - len(words(b)) for a, b in zip(whole, kept, strict=True))
    distance = word_error_rate(whole, filled) * sum(len(words(one)) for one in whole)
    references = [c.spoken.text for c in cases]
    calmed = [text(c, tokens) for c, tokens in zip(cases, untouched, strict=True)]
    extra = sum(len(after) - len(before) for after, (_, before) in zip(invented, silent, strict=True))
    return (
        _name(options),
        str(guard.suspicious),
        f"{100 * guard.filled / max(1, guard.suspicious):.0f}",
        str(taken),
        f"{100 * (1 - distance / max(1, taken)):.0f}",
        *(f"{100 * word_error_rate(references, one):.2f}" for one in (whole, kept, filled)),
        str(calm.suspicious),
        str(calm.filled),
        f"{100 * word_error_rate(references, calmed):.2f}",
        str(noisy.suspicious),
        str(extra),
    )


def _name(options: GuardOptions) -> str:
    default = GuardOptions()
    names = ("hole_s", "speech_threshold", "min_confidence", "margins_s")
    changed = [name for name in names if getattr(options, name) != getattr(default, name)]
    return ", ".join(f"{name} {getattr(options, name)}" for name in changed) or "defaults"
