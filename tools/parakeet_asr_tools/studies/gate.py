"""``study gate``: does the energy gate before the voice detector lose anything, and what does it save?

Every recording is laid into the noise of a room, with six seconds of it before and one and a half after,
and listened to with and without the gate. A final is decoded from exactly the samples of its utterance, so
the same places give the same final; where the places differ, both are decoded and the texts are compared.
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
from parakeet_asr_tools.studies.noise import make
from parakeet_asr_tools.studies.speech import Spoken, read_speech

NAME = "gate"
HELP = "the energy gate before the voice detector: lost onsets, and how much of the time the detector rests"

ROOMS = ("pink", "fan", "white", "brown")
LEVELS_DB = (40, 20, 10, 5)  # of the speech over the room
BEFORE_S, AFTER_S = 6.0, 1.5  # so long that the detector rests before the speech
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
        "room", "speech over it, dB", "recordings", "same places", "same texts",
        "utterances with / without the gate", "detector hears, %", "of an empty room, %",
    )  # fmt: skip
    for room in arguments.rooms:
        empty = listen(make(room, EMPTY_ROOM_S, -50.0, seed=1), gated=True).heard_ratio
        for level_db in arguments.levels:
            yield (room, f"{level_db:g}", *_row(recognizer, spoken, room, level_db), f"{100 * empty:.0f}")


def _row(
    recognizer: Recognizer, spoken: Sequence[Spoken], room: str, level_db: float
) -> tuple[str, str, str, str, str]:
    same = alike = with_gate = without = 0
    heard = []
    for seed, one in enumerate(spoken):
        samples = lay_into_room(one.samples, room, level_db, seed)
        plain, gated = listen(samples, gated=False), listen(samples, gated=True)
        heard.append(gated.heard_ratio)
        with_gate, without = with_gate + len(gated.places), without + len(plain.places)
        same += plain.places == gated.places
        alike += plain.places == gated.places or (
            _texts(recognizer, samples, plain) == _texts(recognizer, samples, gated)
        )
    total = len(spoken)
    return str(total), str(same), str(alike), f"{with_gate} / {without}", f"{100 * np.mean(heard):.0f}"


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


def _texts(recognizer: Recognizer, samples: FloatArray, listened: Listened) -> list[str]:
    return [heard.text for heard in recognizer.recognize([samples[a:b] for a, b in listened.places])]
