"""Turns between a robot and a person in a room, with all that is true of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np

from parakeet_asr.records import SAMPLE_RATE_HZ, FloatArray
from parakeet_asr_tools.duplex.room import LiveRoom, Room, drift
from parakeet_asr_tools.duplex.voice import at_level, speak
from parakeet_asr_tools.studies.speech import Spoken, read_speech

Kind = Literal["alternate", "overlap", "robot"]
"""alternate: the person answers; overlap: the person interrupts; robot: only the robot speaks."""

KINDS: tuple[Kind, ...] = ("alternate",) * 10 + ("overlap",) * 6 + ("robot",) * 4
VOICES = ("en-us", "en-gb", "en-us+f3", "en-gb+m4")
SENTENCES = (
    "Good morning. I can bring you something from the kitchen if you like.",
    "I have found your keys on the table next to the window. Shall I bring them to you now?",
    "The battery is at forty percent, so I will drive to the charging dock in ten minutes.",
    "There is a parcel for you at the front door. It was delivered this morning.",
    "I am sorry, I did not understand that. Could you please say it again?",
    "The red box is too heavy for me, but I can call somebody who helps.",
    "It is a quarter past nine. Your first meeting begins in half an hour.",
    "I have cleaned the living room and the hallway. What should I do next?",
    "The door of the laboratory is locked. I need a key card to open it.",
    "Please step aside, I am about to turn around and I need some space.",
    "Your sister called and asked whether you will come to dinner on Sunday.",
    "I will follow you at a distance of two meters until you tell me to stop.",
    "The water bottle is empty. Do you want me to fill it in the kitchen?",
    "There is an obstacle on my way to the office, so I am taking the other corridor.",
    "The weather will stay dry until the evening, but take a jacket with you.",
    "I have counted seven chairs in the meeting room, one of them is broken.",
    "My left camera is dirty. Please clean it with a soft cloth before we go on.",
    "The elevator is out of order. I cannot reach the third floor today.",
    "I put the medicine on the shelf beside your bed, as you asked me to.",
    "Would you like to hear the news, or should I play some music instead?",
)


@dataclass(frozen=True, slots=True)
class Turn:
    """Times in seconds from the beginning of the conversation."""

    kind: Kind
    start_s: float
    stop_s: float
    robot_text: str
    handed_s: float  # the robot's voice is handed to the loudspeaker
    sounds_s: float  # and sounds
    silent_s: float  # until here
    person_text: str = ""
    onset_s: float = 0.0
    offset_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Conversation:
    """What each of them gives to the room, and what the microphone captures of it."""

    room: Room
    turns: tuple[Turn, ...]
    handed: FloatArray  # [n] what the loudspeaker is given, when it is given
    microphone: FloatArray  # [n]
    without_robot: FloatArray  # [n] the same if the robot said nothing

    @property
    def duration_s(self) -> float:
        """Of all."""
        return len(self.handed) / SAMPLE_RATE_HZ


def commands() -> list[Spoken]:
    """Short commands in synthetic voices, which the demo model understands."""
    spoken = [one for one in read_speech() if one.audio.startswith("synth-a") and len(one.text.split()) <= 9]
    return [one for one in spoken if len(one.samples) < 4 * SAMPLE_RATE_HZ]


def converse(room: Room, seed: int, people: Sequence[Spoken], turns: int = len(KINDS)) -> Conversation:
    """So many turns, whose order, texts, voices and times follow from ``seed``.

    Raises:
        ConfigurationError: there is no voice for the robot.
    """
    rng = np.random.default_rng(seed)
    kinds = [KINDS[i] for i in rng.permutation(len(KINDS))[:turns]]
    told: list[Turn] = []
    robot: list[tuple[float, float, FloatArray]] = []  # handed at, sounds at, voice
    person: list[tuple[float, FloatArray]] = []
    now_s = 1.0
    for kind in kinds:
        text = SENTENCES[int(rng.integers(len(SENTENCES)))]
        voice = _voice(text, VOICES[int(rng.integers(len(VOICES)))])
        handed_s = now_s
        sounds_s = handed_s + rng.uniform(*room.delay_s)
        silent_s = sounds_s + len(voice) / SAMPLE_RATE_HZ
        robot.append((handed_s, sounds_s, voice))
        turn = Turn(kind, now_s, silent_s, text, handed_s, sounds_s, silent_s)
        if kind != "robot":
            spoken = people[int(rng.integers(len(people)))]
            words = at_level(spoken.samples)
            first, last = _speech(words)
            part = rng.uniform(0.3, 0.6)
            onset_s = sounds_s + part * (silent_s - sounds_s)
            if kind == "alternate":
                onset_s = silent_s + rng.uniform(0.8, 1.6)
            person.append((onset_s - first, words))
            offset_s = onset_s + last - first
            stop_s = max(silent_s, offset_s)
            turn = Turn(
                kind, now_s, stop_s, text, handed_s, sounds_s, silent_s, spoken.text, onset_s, offset_s
            )
        told.append(turn)
        now_s = turn.stop_s + rng.uniform(1.5, 2.5)
    return _in_room(room, seed, told, robot, person, now_s)


def _in_room(
    room: Room,
    seed: int,
    turns: Sequence[Turn],
    robot: Sequence[tuple[float, float, FloatArray]],
    person: Sequence[tuple[float, FloatArray]],
    duration_s: float,
) -> Conversation:
    size = round(duration_s * SAMPLE_RATE_HZ)
    handed, sounding, spoken = (np.zeros(size, np.float32) for _ in range(3))
    for handed_s, sounds_s, voice in robot:
        _put(handed, handed_s, voice)
        _put(sounding, sounds_s, drift(voice, room.drift_ppm))
    for at_s, words in person:
        _put(spoken, at_s, words)
    nothing = np.zeros(size, np.float32)
    return Conversation(
        room,
        tuple(turns),
        handed,
        LiveRoom(room, seed).hear(sounding, spoken),
        LiveRoom(room, seed).hear(nothing, spoken),
    )


def _put(into: FloatArray, at_s: float, samples: FloatArray) -> None:
    start = max(0, round(at_s * SAMPLE_RATE_HZ))
    part = samples[: len(into) - start]
    into[start : start + len(part)] += part


def _speech(samples: FloatArray) -> tuple[float, float]:
    """Where speech begins and ends in a recording, in seconds: 20 dB below its loudest 20 ms."""
    size = SAMPLE_RATE_HZ // 50
    energy = np.square(samples[: len(samples) // size * size].reshape(-1, size)).mean(axis=1)
    loud = np.flatnonzero(energy > 0.01 * energy.max())
    return float(loud[0]) * 0.02, float(loud[-1] + 1) * 0.02


@lru_cache(maxsize=256)
def _voice(text: str, voice: str) -> FloatArray:
    return speak(text, voice)
