"""Windows and draft intervals: errors, delays, revisions and load of each, on the same recordings."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

from parakeet_asr.core.buffered import BufferedStream, WindowOptions
from parakeet_asr.core.profiles import PROFILES
from parakeet_asr.core.session import SessionOptions
from parakeet_asr.loader import Model, load_model
from parakeet_asr.records import SAMPLE_RATE_HZ, FloatArray
from parakeet_asr_tools.benchmark.accuracy import word_error_rate
from parakeet_asr_tools.benchmark.stream_live import measure_live
from parakeet_asr_tools.benchmark.stream_measures import percentile
from parakeet_asr_tools.benchmark.stream_playback import play
from parakeet_asr_tools.studies.speech import Spoken, concatenate, read_speech
from parakeet_asr_tools.studies.streaming_figure import draw
from parakeet_asr_tools.studies.streaming_row import HEADER, Row, label

NAME = "streaming"
HELP = "sweep left, chunk, right and the draft interval"
LONG_S = 60.0  # of continuous speech for the load

SWEEP = (
    (10.0, 2.0, 2.0, 0.32),
    (10.0, 2.0, 2.0, 0.64),
    (10.0, 1.0, 1.0, 0.32),
    (10.0, 0.64, 1.36, 0.32),
    (4.0, 2.0, 2.0, 0.32),
    (4.0, 1.0, 1.0, 0.32),
    (4.0, 0.64, 1.36, 0.32),
    (4.0, 2.0, 2.0, 0.96),
    (2.0, 2.0, 2.0, 0.96),
    (4.0, 4.0, 2.0, 0.96),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this study."""
    parser.add_argument("--figure", type=Path, help="draw the rows into this image, too")
    parser.add_argument("--every", type=int, default=12, help="play every n-th recording live (12)")


def run(arguments: argparse.Namespace) -> Iterator[Sequence[str]]:
    """Rows of the table, the header first."""
    yield HEADER
    rows = []
    for row in sweep(read_speech(every=arguments.every), read_speech()):
        rows.append(row)
        yield row.cells()
    if arguments.figure:
        draw(rows, chosen(), arguments.figure)


def chosen() -> dict[str, str]:
    """Labels of the rows that became profiles."""
    return {label(options): name for name, options in PROFILES.items()}


def sweep(spoken: Sequence[Spoken], everything: Sequence[Spoken]) -> Iterator[Row]:
    """Measure every setting: live on some recordings, what is committed on all of them."""
    long = concatenate(spoken, LONG_S).samples
    with load_model("demo", threads=1) as model:
        model.warm_up()
        for left_s, chunk_s, right_s, interval_s in SWEEP:
            options = SessionOptions(
                left_s=left_s, chunk_s=chunk_s, right_s=right_s, partial_interval_s=interval_s
            )
            yield measure(model, spoken, everything, long, options)


def measure(
    model: Model,
    spoken: Sequence[Spoken],
    everything: Sequence[Spoken],
    long: FloatArray,
    options: SessionOptions,
) -> Row:
    """One setting."""
    texts = [one.text for one in spoken]
    live = measure_live(model, [one.samples for one in spoken], texts, options, compare=False)
    window = WindowOptions(options.left_s, options.chunk_s, options.right_s)
    return Row(
        options=options,
        wer_streamed=word_error_rate(
            [one.text for one in everything],
            [streamed(model, one.samples, window) for one in everything],
        ),
        wer_final=live.wer_final,
        first_partial_s=(percentile(live.first_partial_s, 50), percentile(live.first_partial_s, 95)),
        commit_s=(percentile(live.commit_s, 50), percentile(live.commit_s, 95)),
        revision_rate=live.revision_rate,
        load=live.load,
        long_load=_load(model, long, options, partials=True),
        long_load_without_drafts=_load(model, long, options, partials=False),
    )


def streamed(model: Model, samples: FloatArray, window: WindowOptions) -> str:
    """What is committed, without a final pass."""
    stream = BufferedStream(model.recognizer, lambda start, stop: samples[start:stop], window)
    stream.flush(len(samples))
    return model.recognizer.transcription(stream.committed, len(samples)).text


def _load(model: Model, samples: FloatArray, options: SessionOptions, *, partials: bool) -> float:
    playback = play(model.session(options), samples, partials=partials)
    return playback.compute_s * SAMPLE_RATE_HZ / len(samples)
