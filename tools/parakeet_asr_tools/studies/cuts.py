"""Long recordings: what windows, endpoints and forced cuts cost where they fall."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from parakeet_asr.core.buffered import BufferedStream, WindowOptions
from parakeet_asr.core.session import SessionOptions
from parakeet_asr.loader import Model, load_model
from parakeet_asr.records import SAMPLE_RATE_HZ, EndReason, FloatArray, Word
from parakeet_asr_tools.benchmark.accuracy import words
from parakeet_asr_tools.benchmark.stream_measures import HeardWord, near, overlaps, spoken, timed_errors
from parakeet_asr_tools.benchmark.stream_playback import play
from parakeet_asr_tools.studies.speech import concatenate, read_speech

NAME = "cuts"
HELP = "insertions and deletions near seams and forced cuts of a long recording, beside the uncut stream's"
WINDOWS = (WindowOptions(10.0, 2.0, 2.0), WindowOptions(10.0, 1.0, 1.0), WindowOptions(10.0, 0.64, 1.36))
SETTINGS: tuple[dict[str, Any], ...] = (
    {},
    {"silence_s": 2.0},
    {"silence_s": 2.0, "max_utterance_s": 10.0},
    {"silence_s": 1.5, "max_utterance_s": 6.0},
)
HEADER = (
    "way", "utterances", "forced cuts", "WER, %", "errors near its seams", "of these the offline answer has",
    "the uncut stream has", "overlapping words",
)  # fmt: skip


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this study."""
    parser.add_argument("--minutes", type=float, default=5.0, help="length of the recording (5)")
    parser.add_argument("--seed", type=int, default=0, help="which recordings in which order (0)")


def run(arguments: argparse.Namespace) -> Iterator[Sequence[str]]:
    """Rows of the table, the header first."""
    long = concatenate(read_speech(), 60 * arguments.minutes, seed=arguments.seed)
    reference, samples = words(long.text), long.samples
    yield HEADER
    with load_model("demo", threads=1) as model:
        offline = _heard(model.transcribe(samples).words)
        uncut = {options: _stream(model, samples, options) for options in WINDOWS}
        offline_errors = timed_errors(reference, offline)
        uncut_errors = timed_errors(reference, uncut[WINDOWS[0]])
        yield "offline", "", "", _percent(len(offline_errors), reference), "", "", "", str(overlaps(offline))
        for window, heard in uncut.items():
            seams_s = np.arange(window.chunk_s, len(samples) / SAMPLE_RATE_HZ, window.chunk_s).tolist()
            errors = timed_errors(reference, heard)
            counts = [str(near(one, seams_s)) for one in (errors, offline_errors, uncut_errors)]
            name = f"uncut stream {window.left_s:g}-{window.chunk_s:g}-{window.right_s:g}"
            yield name, "1", "0", _percent(len(errors), reference), *counts, str(overlaps(heard))
        for setting in SETTINGS:
            heard, ends, cuts_s = _finals(model, samples, setting)
            errors = timed_errors(reference, heard)
            counts = [str(near(one, cuts_s)) for one in (errors, offline_errors, uncut_errors)]
            name = "finals, " + (", ".join(f"{k} {v:g}" for k, v in setting.items()) or "defaults")
            row = (name, str(ends), str(len(cuts_s)), _percent(len(errors), reference))
            yield *row, *counts, str(overlaps(heard))


def _stream(model: Model, samples: FloatArray, options: WindowOptions) -> list[HeardWord]:
    stream = BufferedStream(model.recognizer, lambda start, stop: samples[start:stop], options)
    stream.flush(len(samples))
    return _heard(model.recognizer.transcription(stream.committed, len(samples)).words)


def _finals(
    model: Model, samples: FloatArray, setting: dict[str, Any]
) -> tuple[list[HeardWord], int, list[float]]:
    """Words of all finals, how many finals there are, and when utterances were cut."""
    options = replace(SessionOptions(partial_interval_s=0.0), **setting)
    finals = play(model.session(options), samples, 0.1).finals
    heard = [word for final in finals for word in _heard(final.words, final.start_ns / 1e9)]
    forced = [final for final in finals if final.end_reason is EndReason.FORCED]
    return heard, len(finals), [final.start_ns / 1e9 + final.duration_s for final in forced]


def _heard(found: Sequence[Word], offset_s: float = 0.0) -> list[HeardWord]:
    return spoken(HeardWord(one.text, offset_s + one.start_s, offset_s + one.end_s) for one in found)


def _percent(errors: int, reference: Sequence[str]) -> str:
    return f"{100 * errors / len(reference):.2f}"
