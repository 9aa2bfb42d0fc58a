"""A simulated room: how what the loudspeaker plays and what a person says arrive at the microphone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from parakeet_asr.records import SAMPLE_RATE_HZ, FloatArray

SPEECH_RMS = 0.05  # -26 dBFS: a person at the microphone
VOICE_RMS = 0.122  # of what espeak-ng says, measured as at_level does
SOUND_M_PER_S = 343.0


@dataclass(frozen=True, slots=True)
class Room:
    """What makes one room different from another; the same seed gives the same room."""

    seed: int
    decay_s: float = 0.3  # until an echo has lost 60 dB
    echo_db: float = 0.0  # the robot's voice at the microphone over a person's
    noise_dbfs: float = -60.0
    delay_s: tuple[float, float] = (0.02, 0.25)  # from the stamp of what is played to the loudspeaker,
    # another one for each of the robot's utterances
    robot_m: float = 0.3  # distance of the loudspeaker
    person_m: float = 1.0


def rooms(seed: int, count: int) -> list[Room]:
    """Different rooms: from dry and quiet to loud and long."""
    rng = np.random.default_rng(seed)
    return [
        Room(
            seed=int(rng.integers(1 << 31)),
            decay_s=float(rng.uniform(0.15, 0.45)),
            echo_db=float(rng.uniform(-3.0, 3.0)) if i else 0.0,
            noise_dbfs=float(rng.uniform(-70.0, -52.0)),
            robot_m=float(rng.uniform(0.2, 0.6)),
            person_m=float(rng.uniform(0.6, 1.6)),
        )
        for i in range(count)
    ]


def impulse_response(rng: np.random.Generator, distance_m: float, decay_s: float) -> FloatArray:
    """From a source to the microphone, with unit energy: the direct sound, and a tail that decays.

    Args:
        rng: chooses the reflections.
        distance_m: of the source; the farther, the weaker the direct sound against the tail.
        decay_s: until the tail has lost 60 dB.

    Returns:
        [n] float32; the first sample is when the source emits.
    """
    first = round(distance_m / SOUND_M_PER_S * SAMPLE_RATE_HZ)
    length = first + round(1.2 * decay_s * SAMPLE_RATE_HZ)
    time_s = np.arange(length - first) / SAMPLE_RATE_HZ
    tail = rng.standard_normal(length - first) * 10.0 ** (-3.0 * time_s / decay_s)
    tail[: round(0.002 * SAMPLE_RATE_HZ)] = 0.0  # no wall is that near
    tail *= 0.25 * distance_m / np.sqrt(np.sum(tail**2))
    response = np.zeros(length, np.float32)
    response[first:] = tail
    response[first] += 1.0
    response /= np.float32(np.sqrt(np.sum(response**2)))
    return response


def convolve(signal: FloatArray, response: FloatArray) -> FloatArray:
    """All of the convolution: [n + m - 1] float32."""
    size = len(signal) + len(response) - 1
    length = 1 << (size - 1).bit_length()
    spectrum = np.fft.rfft(signal, length) * np.fft.rfft(response, length)
    whole: FloatArray = np.fft.irfft(spectrum, length)[:size].astype(np.float32)
    return whole


def at_level(samples: FloatArray, rms: float = SPEECH_RMS) -> FloatArray:
    """Speech whose loud parts have this root mean square."""
    active = samples[np.abs(samples) > 0.02 * max(1e-9, float(np.abs(samples).max()))]
    scale = rms / max(1e-9, float(np.sqrt(np.mean(active**2)))) if len(active) else 0.0
    return (samples * scale).astype(np.float32)


class Microphone:
    """The sound in the room by absolute sample, as the microphone hears it. Not thread safe."""

    def __init__(self, room: Room) -> None:
        """An empty room with its noise."""
        self.room = room
        self._rng = np.random.default_rng(room.seed)
        self._robot_path = impulse_response(self._rng, room.robot_m, room.decay_s)
        self._person_path = impulse_response(self._rng, room.person_m, room.decay_s)
        self._robot_path *= np.float32(SPEECH_RMS / VOICE_RMS * 10.0 ** (room.echo_db / 20.0))
        self._people = _Track()
        self._loudspeaker = _Track()
        self._delay_samples = 0
        self.robot_spans: list[list[int]] = []  # [first, behind the last] sample of each of its utterances

    def person_says(self, samples: FloatArray, start: int) -> None:
        """A person begins to speak at sample ``start``; [n] at the level of :func:`at_level`."""
        self._people.add(convolve(samples, self._person_path), start)

    def play(self, samples: FloatArray, start: int) -> None:
        """The loudspeaker is handed sound whose stamp is that of sample ``start``."""
        pause = SAMPLE_RATE_HZ // 5
        if not self.robot_spans or start + self._delay_samples > self.robot_spans[-1][1] + pause:
            low, high = self.room.delay_s
            self._delay_samples = round(self._rng.uniform(low, high) * SAMPLE_RATE_HZ)
            self.robot_spans.append([start + self._delay_samples, start + self._delay_samples])
        start += self._delay_samples
        self._loudspeaker.add(samples, start)
        self.robot_spans[-1][1] = max(self.robot_spans[-1][1], start + len(samples))

    def record(self, start: int, stop: int) -> FloatArray:
        """What the microphone hears from sample ``start`` to ``stop``, clipped as a converter does."""
        memory = len(self._robot_path) - 1
        played = self._loudspeaker.read(start - memory, stop)
        echo = convolve(played, self._robot_path)[memory : memory + stop - start]
        noise = self._rng.standard_normal(stop - start) * 10.0 ** (self.room.noise_dbfs / 20.0)
        sound = self._people.read(start, stop) + echo + noise
        heard: FloatArray = np.clip(sound, -1.0, 1.0).astype(np.float32)
        return heard


class _Track:
    """Sound by absolute sample, from 0 on; zeros where nothing was added."""

    def __init__(self) -> None:
        self._samples = np.zeros(60 * SAMPLE_RATE_HZ, np.float32)

    def add(self, samples: FloatArray, start: int) -> None:
        stop = start + len(samples)
        if stop > len(self._samples):
            self._samples = np.concatenate([self._samples, np.zeros(stop, np.float32)])
        self._samples[start:stop] += samples

    def read(self, start: int, stop: int) -> FloatArray:
        """Samples [start, stop); what was before 0 or was never added is silence."""
        out = np.zeros(stop - start, np.float32)
        first, last = max(0, start), min(stop, len(self._samples))
        if last > first:
            out[first - start : last - start] = self._samples[first:last]
        return out
