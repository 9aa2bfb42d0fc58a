"""Digital silence around recordings: does it ever empty a transcript?"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence

import numpy as np

from parakeet_asr.loader import Model, load_model
from parakeet_asr.records import SAMPLE_RATE_HZ, FloatArray
from parakeet_asr_tools.benchmark.accuracy import word_error_rate
from parakeet_asr_tools.studies.speech import Spoken, read_speech

NAME = "silence"
HELP = "0 to 2 s of digital silence before and after recordings: empty transcripts and word errors"
LENGTHS_S = tuple(tenths / 10 for tenths in range(21))
HEADER = ("silence, s", "empty, before", "empty, behind", "WER before, %", "WER behind, %")
BARE_HEADER = ("without guard: empty, before", *HEADER[2:])


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this study."""
    parser.add_argument("--every", type=int, default=15, help="take every n-th recording (15; 1: all)")
    parser.add_argument(
        "--with-guard-only", action="store_true", help="half of the table in half of the time"
    )


def run(arguments: argparse.Namespace) -> Iterator[Sequence[str]]:
    """Rows of the table, the header first."""
    spoken = read_speech(every=arguments.every)
    yield HEADER if arguments.with_guard_only else (*HEADER, *BARE_HEADER)
    with load_model("demo", threads=1) as guarded, load_model("demo", threads=1, guard=None) as bare:
        with_text = [one for one in spoken if bare.transcribe(one.samples).text]
        for length_s in LENGTHS_S:
            cells = [f"{length_s:.1f}"]
            for model in (guarded,) if arguments.with_guard_only else (guarded, bare):
                before = texts(model, with_text, length_s, 0.0)
                behind = texts(model, with_text, 0.0, length_s)
                cells += [str(sum(not text for text in side)) for side in (before, behind)]
                references = [one.text for one in with_text]
                cells += [f"{100 * word_error_rate(references, side):.2f}" for side in (before, behind)]
            yield cells


def texts(model: Model, spoken: Sequence[Spoken], before_s: float, behind_s: float) -> list[str]:
    """What is heard with digital silence around the recordings, all of it valid audio."""
    padded = [np.concatenate((_zeros(before_s), one.samples, _zeros(behind_s))) for one in spoken]
    return [one.text for one in model.transcribe(padded)]


def _zeros(seconds: float) -> FloatArray:
    return np.zeros(round(seconds * SAMPLE_RATE_HZ), np.float32)
