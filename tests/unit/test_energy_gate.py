"""The energy gate: the detector rests in an empty room, and loses nothing when somebody speaks."""

from __future__ import annotations

import numpy as np
import pytest

from fakes import tone
from parakeet_asr.core.energy_gate import EnergyGate, GateOptions
from parakeet_asr.core.sample_buffer import SampleBuffer
from parakeet_asr.core.voice_watch import VoiceWatch
from parakeet_asr.records import FloatArray

FRAME = 512
FRAMES_PER_S = 16_000 / FRAME


def room(seconds: float, level: float = 0.003, seed: int = 0) -> FloatArray:
    """Noise of a room: as much power in every octave."""
    samples = round(seconds * 16_000)
    spectrum = np.fft.rfft(np.random.default_rng(seed).standard_normal(samples))
    spectrum /= np.sqrt(np.maximum(np.arange(len(spectrum)), 50))
    noise = np.fft.irfft(spectrum, samples)
    return (level * noise / noise.std()).astype(np.float32)


class Notebook:
    """Remembers every frame that it hears; speech is what is louder than ``loud``."""

    frame_samples = FRAME

    def __init__(self, loud: float) -> None:
        self.loud = loud
        self.heard: list[FloatArray] = []

    def probability(self, frame: FloatArray) -> float:
        self.heard.append(frame.copy())
        return float(frame.std() > self.loud)

    def reset(self) -> None:
        self.heard.clear()


def watch(samples: FloatArray, detector: Notebook, chunk: int = 1600) -> tuple[list[float], VoiceWatch]:
    target, buffer = VoiceWatch(detector, EnergyGate(FRAME)), SampleBuffer(1000)
    probabilities: list[float] = []

    def speaking() -> bool:
        return bool(probabilities and probabilities[-1])

    for start in range(0, len(samples), chunk):
        buffer.append(samples[start : start + chunk])
        probabilities += target.probabilities(buffer, speaking)
        buffer.forget_before(target.position)
    return probabilities, target


@pytest.mark.parametrize("level", [1e-5, 1e-4, 3e-3, 0.03])
def test_in_an_empty_room_the_detector_rests(level: float) -> None:
    probabilities, target = watch(room(60, level), Notebook(1.0))
    assert not any(probabilities)
    heard = target.heard_frames / (target.heard_frames + target.skipped_frames)
    assert heard < 0.25


@pytest.mark.parametrize("level_db", [40, 20, 10, 6])
def test_what_is_louder_than_the_room_is_heard_in_order_with_what_came_before(level_db: float) -> None:
    noise, at = room(10), 6 * 16_000
    sound = tone(1.0, 0.003 * np.sqrt(2) * 10 ** (level_db / 20))
    noise[at : at + len(sound)] += sound
    detector = Notebook(0.0045)
    probabilities, _ = watch(noise, detector)
    everything = noise[: len(noise) // FRAME * FRAME].reshape(-1, FRAME)
    assert probabilities[: len(probabilities)] == [
        float(frame.std() > detector.loud) for frame in everything[: len(probabilities)]
    ]
    first = at // FRAME - round(2.9 * FRAMES_PER_S)
    place = next(i for i, frame in enumerate(detector.heard) if np.array_equal(frame, everything[first]))
    for offset in range(round(3.9 * FRAMES_PER_S)):  # the look-back and the sound, without a hole
        assert np.array_equal(detector.heard[place + offset], everything[first + offset])


def test_chunks_change_nothing() -> None:
    noise = room(8)
    noise[4 * 16_000 : 5 * 16_000] += tone(1.0, 0.02)
    whole, _ = watch(noise, Notebook(0.0045), len(noise))
    for chunk in (80, 512, 1600, 12_345):
        pieces, _ = watch(noise, Notebook(0.0045), chunk)
        assert pieces == whole


def test_a_fan_that_is_switched_on_becomes_the_room() -> None:
    noise = np.concatenate([room(10, 0.001), room(20, 0.02, seed=1)])
    detector = Notebook(1.0)
    _, target = watch(noise, detector)
    loud = [i for i, frame in enumerate(detector.heard) if frame.std() > 0.01]
    assert 0 < len(loud) < 0.4 * 20 * FRAMES_PER_S
    assert target.skipped_frames > 0.5 * 30 * FRAMES_PER_S


def test_the_gate_stays_open_while_somebody_may_be_speaking() -> None:
    gate = EnergyGate(FRAME)
    silence = np.zeros(FRAME, np.float32)
    for _ in range(40):
        gate.passes(silence, busy=False)
        gate.learn(0.0)
    assert not gate.passes(silence, busy=False)
    assert gate.passes(silence, busy=True)


def test_before_the_room_is_known_everything_passes() -> None:
    gate = EnergyGate(FRAME, GateOptions(learn_s=1.0))
    frames = room(3).reshape(-1)[: 90 * FRAME].reshape(-1, FRAME)
    passed = []
    for frame in frames:
        passed.append(gate.passes(frame, busy=False))
        if passed[-1]:
            gate.learn(0.0)
    assert all(passed[: round(FRAMES_PER_S) - 1])
    assert not all(passed)
