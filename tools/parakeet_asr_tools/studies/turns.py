"""What it costs that a turn is bounded, as the profiles for little memory do."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence

from parakeet_asr.core.session import SessionOptions
from parakeet_asr.loader import load_model
from parakeet_asr.records import EndReason
from parakeet_asr_tools.benchmark.accuracy import word_error_rate, words
from parakeet_asr_tools.benchmark.stream_playback import play
from parakeet_asr_tools.studies.speech import concatenate, read_speech

NAME = "turns"
HELP = "word error rate of the profiles in config/ on people who do not stop, beside offline"
PROFILES: dict[str, dict[str, float]] = {
    "asr": {
        "max_utterance_s": 20.0, "left_s": 10.0, "chunk_s": 0.64, "right_s": 1.36, "final_window_s": 60.0,
    },
    "low_memory": {
        "max_utterance_s": 15.0, "left_s": 4.0, "chunk_s": 2.0, "right_s": 2.0, "final_window_s": 15.0,
    },
    "ultra_low_memory": {
        "max_utterance_s": 7.5, "left_s": 3.0, "chunk_s": 1.5, "right_s": 1.5, "final_window_s": 7.5,
    },
}  # fmt: skip
"""Those of config/, of which the tools know nothing."""

HEADER = ("profile", "longest turn, s", "finals", "forced cuts", "WER of finals, %")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this study."""
    parser.add_argument("--minutes", type=float, default=5.0, help="length of the recording (5)")
    parser.add_argument("--seed", type=int, default=0, help="which recordings in which order (0)")


def run(arguments: argparse.Namespace) -> Iterator[Sequence[str]]:
    """A row per profile, offline first."""
    long = concatenate(read_speech(), 60 * arguments.minutes, seed=arguments.seed)
    yield HEADER
    with load_model("demo", threads=1) as model:
        yield "offline", "", "", "", _wer(long.text, model.transcribe(long.samples).text)
        for name, profile in PROFILES.items():
            options = SessionOptions(partial_interval_s=0.0, **profile)  # type: ignore[arg-type]
            finals = play(model.session(options), long.samples, 0.1).finals
            forced = sum(one.end_reason is EndReason.FORCED for one in finals)
            heard = " ".join(one.text for one in finals)
            longest = f"{profile['max_utterance_s']:g}"
            yield name, longest, str(len(finals)), str(forced), _wer(long.text, heard)


def _wer(said: str, heard: str) -> str:
    return f"{100 * word_error_rate([' '.join(words(said))], [' '.join(words(heard))]):.2f}"
