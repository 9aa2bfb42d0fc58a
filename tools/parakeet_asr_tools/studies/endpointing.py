"""False finals on what is no speech, and what the endpointer's strictness costs at the onsets."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from parakeet_asr.core.session import SessionOptions
from parakeet_asr.engines.silero import SileroDetector
from parakeet_asr.loader import Model, load_model
from parakeet_asr.records import SAMPLE_RATE_HZ, FloatArray, SpeechActivity
from parakeet_asr_tools.benchmark.accuracy import word_error_rate, words
from parakeet_asr_tools.benchmark.stream_playback import Playback, play
from parakeet_asr_tools.studies import noise
from parakeet_asr_tools.studies.speech import Spoken, read_speech, room

NAME = "endpointing"
HELP = "false finals per hour on noise and pauses, words lost at onsets, for several thresholds"
LEVELS_DB = (-60.0, -40.0, -20.0)
HEADER = ("detector", "sound", "hours", "taken for speech, per hour", "finals with words, per hour", "words")
SETTINGS: tuple[dict[str, Any], ...] = (
    {},
    {"min_speech_s": 0.1},
    {"min_speech_s": 0.3},
    {"speech_threshold": 0.3},
    {"speech_threshold": 0.7},
    {"pre_roll_s": 0.1},
    {"pre_roll_s": 0.5},
    {"post_roll_s": 0.1},
    {"post_roll_s": 0.5},
)
SPEECH_HEADER = (
    "setting",
    "first words lost",
    "last words lost",
    "no final",
    "WER of finals, %",
    "offline, %",
)


@dataclass(frozen=True, slots=True)
class Heard:
    """What a session made of a sound without speech."""

    hours: float
    activities: int
    texts: list[str]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this study."""
    parser.add_argument("--every", type=int, default=3, help="take every n-th recording (3)")
    parser.add_argument("--seconds", type=float, default=120.0, help="of every noise at every level (120)")
    parser.add_argument(
        "--pauses-s", type=float, default=120.0, help="of the recordings' pauses, repeated until then (120)"
    )


def run(arguments: argparse.Namespace) -> Iterator[Sequence[str]]:
    """Rows of both tables, a header before each."""
    spoken = read_speech(every=arguments.every)
    pauses = pauses_again(silences([one.samples for one in spoken]), arguments.pauses_s)
    with load_model("demo", threads=1) as model:
        yield HEADER
        for setting in SETTINGS[:5]:
            yield from _noise_rows(model, setting, pauses, arguments.seconds)
        yield SPEECH_HEADER
        offline = [model.transcribe(one.samples).text for one in spoken]
        for setting in SETTINGS:
            yield _speech_row(model, setting, spoken, offline)


def silences(recordings: Sequence[FloatArray], least_s: float = 0.3) -> list[FloatArray]:
    """The pauses of recordings: where the detector is sure that nobody speaks."""
    detector = SileroDetector()
    frame = detector.frame_samples
    found: list[FloatArray] = []
    for samples in recordings:
        detector.reset()
        frames = samples[: len(samples) // frame * frame].reshape(-1, frame)
        quiet = np.array([detector.probability(one) < 0.1 for one in frames])
        edges = np.flatnonzero(np.diff(np.concatenate(([0], quiet, [0]))))
        for start, stop in zip(edges[::2], edges[1::2], strict=True):
            if (stop - start) * frame >= least_s * SAMPLE_RATE_HZ:
                found.append(samples[start * frame : stop * frame])
    return found


def pauses_again(pauses: Sequence[FloatArray], seconds: float) -> FloatArray:
    """Pauses one behind the other until ``seconds`` are full: first as they are, then up to 20 dB louder.

    Rooms and breaths of real recordings are few; repeating them makes more seams, not more rooms.
    """
    rng = np.random.default_rng(0)
    parts = list(pauses)
    samples = sum(map(len, parts))
    while samples < seconds * SAMPLE_RATE_HZ:
        one = pauses[int(rng.integers(len(pauses)))]
        louder = one * np.float32(10 ** rng.uniform(0.0, 1.0))
        parts.append(np.clip(louder, -1.0, 1.0))
        samples += len(one)
    return np.concatenate(parts)


def listen(model: Model, samples: FloatArray, setting: dict[str, Any]) -> Heard:
    """Play a sound without speech."""
    playback = play(model.session(SessionOptions(**setting)), samples, 0.1)
    begun = sum(isinstance(m.event, SpeechActivity) and m.event.active for m in playback.messages)
    texts = [final.text for final in playback.finals if final.text]
    return Heard(len(samples) / SAMPLE_RATE_HZ / 3600, begun, texts)


def _noise_rows(
    model: Model, setting: dict[str, Any], pauses: FloatArray, seconds: float
) -> Iterator[tuple[str, ...]]:
    heard = {
        f"{kind} at {level_db:g} dB": listen(model, noise.make(kind, seconds, level_db), setting)
        for kind in noise.KINDS
        for level_db in LEVELS_DB
    }
    heard["pauses of the recordings"] = listen(model, pauses, setting)
    name = _name(setting)
    if not setting:  # every sound by itself for the defaults only
        for sound, one in heard.items():
            yield name, sound, *_rates([one])
    yield name, "all generated sounds", *_rates(list(heard.values())[:-1])
    yield name, "pauses of the recordings", *_rates([heard["pauses of the recordings"]])


def _rates(heard: Sequence[Heard]) -> tuple[str, ...]:
    hours = sum(one.hours for one in heard)
    texts = [text for one in heard for text in one.texts]
    activities = sum(one.activities for one in heard)
    shown = "; ".join(texts[:3])
    return f"{hours:.3f}", f"{activities / hours:.0f}", f"{len(texts) / hours:.1f}", shown[:60]


def _speech_row(
    model: Model, setting: dict[str, Any], spoken: Sequence[Spoken], offline: Sequence[str]
) -> tuple[str, ...]:
    # Finals only: nothing is decoded while an utterance goes on.
    options = replace(SessionOptions(partial_interval_s=0.0, chunk_s=60.0), **setting)
    rng = np.random.default_rng(0)
    first = last = nothing = 0
    texts = []
    for one, whole in zip(spoken, offline, strict=True):
        samples = np.concatenate((room(rng, 0.5), one.samples, room(rng, 1.0)))
        heard = _text(play(model.session(options), samples, 0.1))
        texts.append(heard)
        expected, got = words(whole), words(heard)
        nothing += bool(expected) and not got
        if len(expected) > 2 and len(got) > 1:  # the word is gone, and what stands there is its neighbour
            first += got[0] != expected[0] and got[:2] == expected[1:3]
            last += got[-1] != expected[-1] and got[-2:] == expected[-3:-1]
    references = [one.text for one in spoken]
    wers = (word_error_rate(references, texts), word_error_rate(references, offline))
    return _name(setting), str(first), str(last), str(nothing), *(f"{100 * wer:.2f}" for wer in wers)


def _text(playback: Playback) -> str:
    return " ".join(final.text for final in playback.finals)


def _name(setting: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value:g}" for name, value in setting.items()) or "defaults"
