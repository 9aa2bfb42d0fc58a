"""``study gate``: does the energy gate before the voice detector lose anything, and what does it save?

Every recording is laid into the noise of a room, with twenty seconds of it before and one and a half after,
and listened to with and without the gate. An onset is lost when an utterance that is found without the gate
has none beside it that is found with it; it is late by what the latter begins behind the former. Finals are
decoded from exactly the samples of the utterances, and their word errors are counted both ways.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from parakeet_asr.core.endpoint import Change, Endpointer
from parakeet_asr.core.energy_gate import EnergyGate
from parakeet_asr.core.recognizer import Recognizer
from parakeet_asr.core.sample_buffer import SampleBuffer
from parakeet_asr.core.session import SessionOptions
from parakeet_asr.core.voice_watch import VoiceWatch
from parakeet_asr.engines.silero import SileroDetector
from parakeet_asr.loader import load_model
from parakeet_asr.records import SAMPLE_RATE_HZ, FloatArray
from parakeet_asr_tools.benchmark.accuracy import word_error_rate
from parakeet_asr_tools.studies.noise import make
from parakeet_asr_tools.studies.speech import Spoken, read_speech

NAME = "gate"
HELP = "the energy gate before the voice detector: lost onsets, and how much of the time the detector rests"

ROOMS = ("pink", "fan", "white", "brown")
LEVELS_DB = (40, 20, 10, 5)  # of the speech over the room
BEFORE_S, AFTER_S = 20.0, 1.5  # so long that the detector rests before the speech
EMPTY_ROOM_S = 120.0
Place = tuple[int, int]  # of an utterance, in samples


@dataclass(frozen=True, slots=True)
class Listened:
    """What one way of listening found."""

    places: tuple[Place, ...]
    heard_ratio: float  # frames that the detector heard, of all


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What to listen to."""
    parser.add_argument("--speech", type=Path, help="folder with manifest.jsonl")
    parser.add_argument("--every", type=int, default=1, help="every n-th recording")
    parser.add_argument("--rooms", nargs="+", choices=ROOMS, default=ROOMS)
    parser.add_argument("--levels", nargs="+", type=float, default=LEVELS_DB, metavar="DB")


def run(arguments: argparse.Namespace) -> Iterator[tuple[str, ...]]:
    """Rows of the table."""
    spoken = read_speech(arguments.speech, arguments.every)
    recognizer = load_model("demo").recognizer
    yield (
        "room", "speech over it, dB", "recordings", "utterances", "onsets lost", "latest onset, ms",
        "same places", "WER with / without, %", "detector hears, %", "of an empty room, %",
    )  # fmt: skip
    for room in arguments.rooms:
        empty = listen(make(room, EMPTY_ROOM_S, -50.0, seed=1), gated=True).heard_ratio
        for level_db in arguments.levels:
            yield (room, f"{level_db:g}", *_row(recognizer, spoken, room, level_db), f"{100 * empty:.0f}")


def _row(recognizer: Recognizer, spoken: Sequence[Spoken], room: str, level_db: float) -> tuple[str, ...]:
    found = same = lost = 0
    late, heard = [0], []
    with_gate, without = [], []
    for seed, one in enumerate(spoken):
        samples = lay_into_room(one.samples, room, level_db, seed)
        plain, gated = listen(samples, gated=False), listen(samples, gated=True)
        heard.append(gated.heard_ratio)
        found += len(plain.places)
        delays = [delay_samples(place, gated.places) for place in plain.places]
        lost += delays.count(None)
        late += [delay for delay in delays if delay is not None]
        same += plain.places == gated.places
        without.append(_text(recognizer, samples, plain))
        with_gate.append(_text(recognizer, samples, gated))
    counts = (len(spoken), found, lost, max(late) * 1000 // SAMPLE_RATE_HZ, same)
    errors = [100 * word_error_rate([one.text for one in spoken], texts) for texts in (with_gate, without)]
    return (*map(str, counts), f"{errors[0]:.1f} / {errors[1]:.1f}", f"{100 * np.mean(heard):.0f}")


def delay_samples(place: Place, others: Sequence[Place]) -> int | None:
    """How much later than ``place`` the first of ``others`` beside it begins; None: there is none."""
    start, end = place
    return next((other[0] - start for other in others if other[0] < end and other[1] > start), None)


def lay_into_room(speech: FloatArray, room: str, level_db: float, seed: int) -> FloatArray:
    """Speech with noise before, in and behind it."""
    level = 20 * np.log10(np.sqrt(np.mean(np.square(speech)))) - level_db
    samples = make(room, len(speech) / SAMPLE_RATE_HZ + BEFORE_S + AFTER_S, float(level), seed)
    start = round(BEFORE_S * SAMPLE_RATE_HZ)
    samples[start : start + len(speech)] += speech
    return samples


def listen(samples: FloatArray, *, gated: bool) -> Listened:
    """Where utterances are, as a session would cut them; one that is open at the end goes to the end."""
    detector = SileroDetector()
    watch = VoiceWatch(detector, EnergyGate(detector.frame_samples) if gated else None)
    endpointer = Endpointer(SessionOptions(), detector.frame_samples)
    buffer = SampleBuffer(len(samples))
    buffer.append(samples)
    places = [
        (endpointer.start_sample, endpointer.end_sample)
        for probability in watch.probabilities(buffer, lambda: endpointer.pending)
        if endpointer.push(probability) is Change.ENDED
    ]
    if endpointer.speaking:
        places.append((endpointer.start_sample, len(samples)))
    return Listened(tuple(places), watch.heard_frames / max(1, watch.heard_frames + watch.skipped_frames))


def _text(recognizer: Recognizer, samples: FloatArray, listened: Listened) -> str:
    return " ".join(heard.text for heard in recognizer.recognize([samples[a:b] for a, b in listened.places]))
