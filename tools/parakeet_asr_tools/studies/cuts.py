"""Long recordings: what windows, endpoints and forced cuts cost where they fall."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from parakeet_asr.core.buffered import BufferedStream, WindowOptions
from parakeet_asr.core.session import SessionOptions
from parakeet_asr.loader import Model, load_model
from parakeet_asr.records import SAMPLE_RATE_HZ, EndReason, FloatArray, Word
from parakeet_asr_tools.benchmark.accuracy import words
from parakeet_asr_tools.benchmark.stream_measures import (
    HeardWord,
    WordError,
    near,
    overlaps,
    spoken,
    timed_errors,
)
from parakeet_asr_tools.benchmark.stream_playback import play
from parakeet_asr_tools.studies.speech import concatenate, read_speech

NAME = "cuts"
HELP = "insertions and deletions near seams and forced cuts of a long recording, beside the uncut stream's"
WINDOWS = (WindowOptions(10.0, 2.0, 2.0), WindowOptions(10.0, 1.0, 1.0), WindowOptions(10.0, 0.64, 1.36))
CUT = {"silence_s": 2.0, "max_utterance_s": 10.0}
SETTINGS: tuple[dict[str, Any], ...] = (
    {},
    {"silence_s": 2.0},
    CUT,
    {"silence_s": 1.5, "max_utterance_s": 6.0},
)
STREAMED: tuple[dict[str, Any], ...] = tuple(
    {**CUT, "left_s": window.left_s, "chunk_s": window.chunk_s, "right_s": window.right_s}
    for window in WINDOWS
)
HEADER = (
    "way", "utterances", "forced cuts", "WER, %",
    "near its forced cuts", "offline there", "uncut stream there",
    "near its cuts and seams", "offline there", "uncut stream there", "overlapping words",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Way:
    """What one way of listening heard, and where it cut."""

    name: str
    heard: list[HeardWord]
    utterances: int
    cuts_s: list[float]  # forced
    seams_s: list[float]  # between chunks


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this study."""
    parser.add_argument("--minutes", type=float, default=5.0, help="length of the recording (5)")
    parser.add_argument("--seed", type=int, default=0, help="which recordings in which order (0)")


def run(arguments: argparse.Namespace) -> Iterator[Sequence[str]]:
    """Rows of the table, the header first.

    The first stream, which is never cut, is what the others are compared with; as nearly every place lies
    near a seam of 2 s or less, the last columns compare all insertions and deletions.
    """
    long = concatenate(read_speech(), 60 * arguments.minutes, seed=arguments.seed)
    reference, samples = words(long.text), long.samples
    yield HEADER
    with load_model("demo", threads=1) as model:
        offline = _heard(model.transcribe(samples).words)
        offline_errors = timed_errors(reference, offline)
        yield "offline", "", "", _percent(len(offline_errors), reference), *[""] * 6, str(overlaps(offline))
        uncut_errors: list[WordError] | None = None
        for way in _ways(model, samples):
            errors = timed_errors(reference, way.heard)
            uncut_errors = errors if uncut_errors is None else uncut_errors
            compared = (errors, offline_errors, uncut_errors)
            cuts = [str(near(one, way.cuts_s)) for one in compared] if way.cuts_s else [""] * 3
            seams = [str(near(one, [*way.cuts_s, *way.seams_s])) for one in compared]
            row = (way.name, str(way.utterances), str(len(way.cuts_s)), _percent(len(errors), reference))
            yield *row, *cuts, *seams, str(overlaps(way.heard))


def _ways(model: Model, samples: FloatArray) -> Iterator[Way]:
    for window in WINDOWS:
        yield _uncut(model, samples, window)
    for setting in STREAMED:
        yield _session(model, samples, {**setting, "final_window_s": 0.0}, "committed")
    for setting in SETTINGS:
        yield _session(model, samples, setting, "finals")


def _uncut(model: Model, samples: FloatArray, window: WindowOptions) -> Way:
    """One stream over all of it."""
    stream = BufferedStream(model.recognizer, lambda start, stop: samples[start:stop], window)
    stream.flush(len(samples))
    heard = _heard(model.recognizer.transcription(stream.committed, len(samples)).words)
    name = f"uncut stream {window.left_s:g}-{window.chunk_s:g}-{window.right_s:g}"
    return Way(name, heard, 1, [], _seams_s(window.chunk_s, 0.0, len(samples) / SAMPLE_RATE_HZ))


def _session(model: Model, samples: FloatArray, setting: dict[str, Any], kind: str) -> Way:
    """A session that cuts; with a ``final_window_s`` of 0 a final is what was committed."""
    options = SessionOptions(**{"partial_interval_s": 0.0, **setting})
    finals = play(model.session(options), samples, 0.1).finals
    bounds_s = [(one.start_ns / 1e9, one.start_ns / 1e9 + one.duration_s) for one in finals]
    return Way(
        name=f"{kind}, " + (", ".join(f"{k} {v:g}" for k, v in setting.items()) or "defaults"),
        heard=[word for one in finals for word in _heard(one.words, one.start_ns / 1e9)],
        utterances=len(finals),
        cuts_s=[
            end_s
            for one, (_, end_s) in zip(finals, bounds_s, strict=True)
            if one.end_reason is EndReason.FORCED
        ],
        seams_s=[seam for bound in bounds_s for seam in _seams_s(options.chunk_s, *bound)],
    )


def _seams_s(chunk_s: float, start_s: float, end_s: float) -> list[float]:
    return [float(seam) for seam in np.arange(start_s + chunk_s, end_s, chunk_s)]


def _heard(found: Sequence[Word], offset_s: float = 0.0) -> list[HeardWord]:
    return spoken(HeardWord(one.text, offset_s + one.start_s, offset_s + one.end_s) for one in found)


def _percent(errors: int, reference: Sequence[str]) -> str:
    return f"{100 * errors / len(reference):.2f}"
