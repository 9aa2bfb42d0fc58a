"""Libraries that cancel echo, beside each other: what they take of the echo, and what of the person."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import soxr

from parakeet_asr.core.duplex.canceller import EchoCanceller
from parakeet_asr.loader import load_model
from parakeet_asr.records import SAMPLE_RATE_HZ, FloatArray
from parakeet_asr_tools.benchmark.accuracy import word_error_rate
from parakeet_asr_tools.duplex.conversation import SENTENCES, commands
from parakeet_asr_tools.duplex.room import ROOMS, LiveRoom, Room, drift
from parakeet_asr_tools.duplex.voice import at_level, speak

NAME = "cancellers"
HELP = "echo return loss enhancement and the person's words after several echo cancellers"
ECHO_HEADER = ("case", "canceller", "ERLE, first 2 s, dB", "ERLE, second half, dB", "of a core")
WORD_HEADER = ("echo to speech, dB", "canceller", "WER of the person, %")
_CASES: tuple[tuple[str, Room, float, float], ...] = (  # name, room, delay in s, drift in ppm
    ("office, 20 ms", ROOMS[0], 0.02, 0.0),
    ("office, 100 ms", ROOMS[0], 0.1, 0.0),
    ("office, 300 ms", ROOMS[0], 0.3, 0.0),
    ("office, 100 ppm", ROOMS[0], 0.02, 100.0),
    ("kitchen", ROOMS[2], 0.02, 0.0),
    ("hall", ROOMS[3], 0.02, 0.0),
    ("small robot, clips", ROOMS[4], 0.02, 0.0),
)
_FULL_SCALE = 32767


class _Livekit:
    """WebRTC's AEC3 as livekit carries it, at 16 or 48 kHz."""

    def __init__(self, rate_hz: int) -> None:
        from livekit.rtc.apm import AudioProcessingModule

        self.rate_hz = rate_hz
        self._module = AudioProcessingModule(echo_cancellation=True)

    def cancel(self, near: FloatArray, far: FloatArray) -> FloatArray:
        self._module.process_reverse_stream(self._frame(far))
        heard = self._frame(near)
        self._module.process_stream(heard)
        out: FloatArray = np.frombuffer(heard.data, np.int16).astype(np.float32) / np.float32(_FULL_SCALE)
        return out

    def reset(self) -> None:
        raise NotImplementedError("a study uses every canceller once")

    def _frame(self, samples: FloatArray) -> Any:
        from livekit.rtc import AudioFrame

        pcm = np.round(np.clip(samples, -1, 1) * _FULL_SCALE).astype(np.int16)
        return AudioFrame(pcm.tobytes(), self.rate_hz, 1, self.rate_hz // 100)


class _SpeexWithSuppressor:
    """SpeexDSP with its suppressor of what the filter leaves."""

    def __init__(self) -> None:
        from pyaec import Aec

        self._filter = Aec(160, SAMPLE_RATE_HZ // 5, SAMPLE_RATE_HZ, True)

    def cancel(self, near: FloatArray, far: FloatArray) -> FloatArray:
        pcm = [np.round(np.clip(x, -1, 1) * _FULL_SCALE).astype(np.int16).tolist() for x in (near, far)]
        out: FloatArray = np.array(self._filter.cancel_echo(*pcm), np.float32) / np.float32(_FULL_SCALE)
        return out

    def reset(self) -> None:
        raise NotImplementedError("a study uses every canceller once")


def _speex() -> EchoCanceller:
    from parakeet_asr.engines.speex_aec import SpeexCanceller

    return SpeexCanceller()


CANCELLERS: dict[str, tuple[int, Callable[[], EchoCanceller]]] = {
    "livekit, 16 kHz": (16_000, lambda: _Livekit(16_000)),
    "livekit, 48 kHz": (48_000, lambda: _Livekit(48_000)),
    "SpeexDSP, filter only": (16_000, _speex),
    "SpeexDSP with suppressor": (16_000, _SpeexWithSuppressor),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this study."""
    parser.add_argument("--commands", type=int, default=20, help="that people say over the robot (20)")


def run(arguments: argparse.Namespace) -> Iterator[Sequence[str]]:
    """Both tables; a library that is not installed is left out."""
    usable = {name: made for name, made in CANCELLERS.items() if _installed(made[1])}
    yield ECHO_HEADER
    pause = np.zeros(SAMPLE_RATE_HZ // 2, np.float32)
    robot = np.concatenate([np.concatenate((pause, speak(text))) for text in SENTENCES[:4]])
    for case, room, delay_s, ppm in _CASES:
        echo = _microphone(room, robot, delay_s, ppm, np.zeros(len(robot), np.float32))
        for name, (rate_hz, make) in usable.items():
            began_s = time.process_time()
            left = through(make(), echo, robot, rate_hz)
            cost = (time.process_time() - began_s) / (len(echo) / SAMPLE_RATE_HZ)
            early, late = slice(8_000, 40_000), slice(len(left) // 2, len(left))
            erle = (f"{_erle(echo, left, part):.1f}" for part in (early, late))
            yield case, name, *erle, f"{cost:.3f}"
    yield WORD_HEADER
    yield from _word_rows(usable, arguments.commands)


def through(canceller: EchoCanceller, near: FloatArray, far: FloatArray, rate_hz: int) -> FloatArray:
    """A whole recording: [n] at 16 kHz, whatever the canceller's rate."""
    if rate_hz != SAMPLE_RATE_HZ:
        near, far = (soxr.resample(x, SAMPLE_RATE_HZ, rate_hz) for x in (near, far))
    size = rate_hz // 100
    frames = [
        canceller.cancel(near[i : i + size], far[i : i + size]) for i in range(0, len(near) - size + 1, size)
    ]
    out: FloatArray = np.concatenate(frames).astype(np.float32)
    return out if rate_hz == SAMPLE_RATE_HZ else soxr.resample(out, rate_hz, SAMPLE_RATE_HZ)


def _word_rows(
    usable: dict[str, tuple[int, Callable[[], EchoCanceller]]], count: int
) -> Iterator[tuple[str, ...]]:
    people = commands()
    rng = np.random.default_rng(0)
    chosen = [people[i] for i in rng.permutation(len(people))[:count]]
    robot = speak(" ".join(SENTENCES[:3]))
    with load_model("demo", threads=1) as model:
        for echo_db in (-6.0, 0.0, 6.0):
            room = replace(ROOMS[0], echo_db=echo_db)
            heard: dict[str, list[str]] = {}
            for person in chosen:
                onset = round(rng.uniform(3, 5) * SAMPLE_RATE_HZ)
                spoken = np.concatenate(
                    (np.zeros(onset, np.float32), at_level(person.samples), np.zeros(16_000, np.float32))
                )
                far = np.resize(robot, len(spoken))
                both = _microphone(room, far, 0.04, 0.0, spoken)
                alone = _microphone(room, np.zeros_like(far), 0.04, 0.0, spoken)
                sounds = {"the robot is silent": alone, "none": both}
                sounds |= {n: through(make(), both, far, rate) for n, (rate, make) in usable.items()}
                for name, sound in sounds.items():
                    heard.setdefault(name, []).append(model.transcribe(sound[onset - 3_000 : -12_000]).text)
            for name, texts in heard.items():
                wer = word_error_rate([person.text for person in chosen], texts)
                yield f"{echo_db:+g}", name, f"{100 * wer:.1f}"


def _microphone(room: Room, robot: FloatArray, delay_s: float, ppm: float, person: FloatArray) -> FloatArray:
    late = np.zeros(round(delay_s * SAMPLE_RATE_HZ), np.float32)
    sounding = np.concatenate((late, drift(robot, ppm)))[: len(robot)]
    return LiveRoom(room, 1).hear(sounding, person)


def _erle(echo: FloatArray, left: FloatArray, where: slice) -> float:
    before, after = (float(np.mean(np.square(x[where]))) for x in (echo, left))
    return float(10 * np.log10(before / max(after, 1e-12)))


def _installed(make: Callable[[], EchoCanceller]) -> bool:
    try:
        make()
    except ImportError:
        return False
    return True
