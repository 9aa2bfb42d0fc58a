"""Local agreement: how soon draft words are promoted for a display, and how often that is taken back."""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from parakeet_asr.core.profiles import PROFILES
from parakeet_asr.core.session import SessionOptions
from parakeet_asr.loader import Model, load_model
from parakeet_asr.records import Transcript
from parakeet_asr_tools.benchmark.accuracy import words
from parakeet_asr_tools.benchmark.stream_measures import percentile, revised_words
from parakeet_asr_tools.benchmark.stream_playback import Message, play
from parakeet_asr_tools.studies.speech import Spoken, read_speech, room

NAME = "agreement"
HELP = "words that 1 to 4 looks in a row agree on: how soon they are shown, how often they are taken back"
LOOKS = (1, 2, 3, 4)
HEADER = (
    "profile", "shown as settled", "words", "after the word's end p50, s", "p95, s",
    "taken back before the final, per 100 words", "by the final", "messages",
)  # fmt: skip

Settled = Callable[[Transcript], int]
"""How many leading words a message shows as settled."""


@dataclass(slots=True)
class Tally:
    """What became of the words that were shown as settled."""

    delays_s: list[float] = field(default_factory=list)  # from a word's end to when it was settled for good
    back_before: int = 0  # taken back by a later partial; case and punctuation do not count
    back_final: int = 0  # taken back by the final
    words: int = 0  # of all finals
    messages: int = 0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this study."""
    parser.add_argument("--model", default="demo", help="model directory, archive or name (demo)")
    parser.add_argument("--every", type=int, default=12, help="play every n-th recording (12)")


def run(arguments: argparse.Namespace) -> Iterator[Sequence[str]]:
    """Rows of the table, the header first."""
    spoken = read_speech(every=arguments.every)
    yield HEADER
    with load_model(arguments.model, threads=1) as model:
        model.warm_up()
        for name, options in PROFILES.items():
            yield name, "stable_words", *_cells(measure(model, spoken, options, _stable))
            for looks in LOOKS:
                tally = measure(model, spoken, replace(options, agreeing_looks=looks), _agreed)
                yield name, f"agreed_words of {looks}", *_cells(tally)


def measure(model: Model, spoken: Sequence[Spoken], options: SessionOptions, settled: Settled) -> Tally:
    """Play recordings and follow every word that was shown as settled."""
    session = model.session(options)
    rng = np.random.default_rng(0)
    tally = Tally()
    for one in spoken:
        samples = np.concatenate((room(rng, 0.5), one.samples, room(rng, 1.0)))
        for utterance in play(session, samples, 0.1).utterances():
            count(tally, utterance, settled)
    return tally


def count(tally: Tally, utterance: Sequence[tuple[Transcript, Message]], settled: Settled) -> None:
    """Add one utterance's messages, the final last."""
    tally.messages += len(utterance)
    for (one, _), (later, _) in itertools.pairwise(utterance):
        shown = words(" ".join(word.text for word in one.words[: settled(one)]))
        back = revised_words(shown, words(later.text))
        if later.is_final:
            tally.back_final += back
        else:
            tally.back_before += back
    final, _ = utterance[-1]
    tally.words += len(final.words)
    for index, word in enumerate(final.words):
        when_s = next(message.audio_s for one, message in utterance if settled(one) > index)
        tally.delays_s.append(when_s - final.start_ns / 1e9 - word.end_s)


def _stable(one: Transcript) -> int:
    return one.stable_words


def _agreed(one: Transcript) -> int:
    return one.agreed_words


def _cells(tally: Tally) -> tuple[str, ...]:
    total = max(1, tally.words)
    return (
        str(tally.words),
        *(f"{percentile(tally.delays_s, share):.2f}" for share in (50, 95)),
        *(f"{100 * back / total:.1f}" for back in (tally.back_before, tally.back_final)),
        str(tally.messages),
    )
