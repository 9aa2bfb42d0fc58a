"""The simulated room of the demo and the trial of duplex."""

from __future__ import annotations

import numpy as np
import pytest

from acoustics import SPEECH_RMS, VOICE_RMS, Microphone, Room, at_level, convolve, impulse_response, rooms

QUIET = {"noise_dbfs": -120.0, "delay_s": (0.1, 0.1)}


def rms(samples: np.ndarray) -> float:
    return float(np.sqrt(np.mean(samples**2)))


def noise(seconds: float, level: float) -> np.ndarray:
    samples = np.random.default_rng(0).standard_normal(round(seconds * 16_000))
    return (samples * level).astype(np.float32)


def test_an_impulse_response_has_unit_energy_and_decays_by_60_db_in_its_time() -> None:
    response = impulse_response(np.random.default_rng(1), 1.0, 0.3)
    assert rms(response) ** 2 * len(response) == pytest.approx(1.0, abs=1e-3)
    first = round(1.0 / 343 * 16_000)
    assert np.all(response[:first] == 0)
    early, late = response[first + 400 : first + 1_200], response[first + 2_800 : first + 3_600]
    assert 20 * np.log10(rms(early) / rms(late)) == pytest.approx(60 * 0.15 / 0.3, abs=3)


def test_convolution_is_that_of_numpy() -> None:
    a, b = noise(0.1, 1.0), noise(0.02, 1.0)
    np.testing.assert_allclose(convolve(a, b), np.convolve(a, b), atol=1e-3)


@pytest.mark.parametrize("echo_db", [-6.0, 0.0, 6.0])
def test_the_robot_is_so_much_louder_than_a_person_as_the_room_says(echo_db: float) -> None:
    person, robot = (
        Microphone(Room(1, echo_db=echo_db, **QUIET)),
        Microphone(Room(1, echo_db=echo_db, **QUIET)),
    )
    person.person_says(noise(2.0, SPEECH_RMS), 0)
    robot.play(noise(2.0, VOICE_RMS), 0)
    heard = [microphone.record(8_000, 24_000) for microphone in (person, robot)]
    assert 20 * np.log10(rms(heard[1]) / rms(heard[0])) == pytest.approx(echo_db, abs=0.7)


def test_the_loudspeaker_sounds_after_its_delay_and_the_same_room_is_the_same_again() -> None:
    first, again = Microphone(rooms(3, 2)[1]), Microphone(rooms(3, 2)[1])
    for microphone in (first, again):
        microphone.play(noise(1.0, 0.1), 1_000)
        microphone.play(noise(1.0, 0.1), 40_000)  # another utterance, another delay
    assert first.robot_spans == again.robot_spans
    delays = [span[0] - start for span, start in zip(first.robot_spans, (1_000, 40_000), strict=True)]
    assert all(0.02 * 16_000 <= delay <= 0.25 * 16_000 for delay in delays)
    assert delays[0] != delays[1]
    np.testing.assert_array_equal(first.record(0, 800), again.record(0, 800))


def test_it_clips_and_levels_speech() -> None:
    microphone = Microphone(Room(1, echo_db=40.0, **QUIET))
    microphone.play(noise(1.0, VOICE_RMS), 0)
    assert np.abs(microphone.record(0, 16_000)).max() == 1.0
    speech = np.concatenate([np.zeros(16_000, np.float32), noise(1.0, 0.3)])
    assert rms(at_level(speech)[16_000:]) == pytest.approx(SPEECH_RMS, rel=0.05)  # pauses do not count
