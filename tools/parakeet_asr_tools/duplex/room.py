"""A simulated room: impulse responses by image sources, a loudspeaker, a microphone that may clip.

The images of a source in a box and their attenuation are those of Allen and Berkley (J. Acoust. Soc. Am.
65, 1979); the walls' reflection comes from Eyring's formula for the reverberation time.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from parakeet_asr.records import SAMPLE_RATE_HZ, FloatArray

SOUND_M_S = 343.0
_BLOCK = 4096  # samples that are convolved at a time
_SINC = 16  # taps of the interpolation for drifting clocks

Point = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Room:
    """A box with hard walls. All lengths in metres."""

    name: str
    size_m: Point = (5.0, 4.0, 2.7)
    rt60_s: float = 0.3  # the time in which sound falls by 60 dB
    loudspeaker_m: Point = (2.0, 1.5, 1.0)
    microphone_m: Point = (2.15, 1.6, 1.25)
    person_m: Point = (2.6, 1.9, 1.45)
    noise_dbfs: float = -70.0  # of the microphone and the room
    echo_db: float = 0.0  # of the robot's voice against the person's, both at the microphone
    clips: bool = False  # the loudspeaker is so near that its sound exceeds what the microphone can take
    delay_s: tuple[float, float] = (0.05, 0.15)  # from handing over to sounding; another one every time
    drift_ppm: float = 0.0  # by which the loudspeaker's clock is slower than the microphone's

    def echo_response(self) -> FloatArray:
        """From the loudspeaker to the microphone, of energy 1: [n]."""
        return _normal(impulse_response(self.size_m, self.loudspeaker_m, self.microphone_m, self.rt60_s))

    def speech_response(self) -> FloatArray:
        """From the person to the microphone, of energy 1: [n]."""
        return _normal(impulse_response(self.size_m, self.person_m, self.microphone_m, self.rt60_s))


ROOMS = (
    Room("office"),
    Room("living room", (6.2, 4.5, 2.6), 0.35, (1.5, 3.0, 0.9), (1.5, 3.12, 1.1), (2.1, 2.8, 1.25),
         echo_db=0.0, delay_s=(0.15, 0.4), drift_ppm=30.0),
    Room("kitchen", (3.6, 3.1, 2.5), 0.45, (1.0, 1.0, 1.1), (1.1, 1.1, 1.3), (1.5, 1.4, 1.5), -60.0,
         echo_db=-6.0, delay_s=(0.3, 0.8)),
    Room("hall", (9.0, 7.0, 3.4), 0.6, (4.0, 3.0, 1.0), (4.1, 3.1, 1.2), (4.5, 3.4, 1.4), -65.0,
         echo_db=6.0, delay_s=(0.05, 0.25), drift_ppm=-80.0),
    Room("small robot", (5.0, 4.0, 2.7), 0.3, (2.0, 1.5, 0.3), (2.03, 1.52, 0.33), (2.4, 1.8, 0.7),
         echo_db=25.0, clips=True, delay_s=(0.6, 1.3)),
)  # fmt: skip
"""Easy to hard; in the last one the microphone sits 5 cm from the loudspeaker."""


def impulse_response(size_m: Point, source_m: Point, listener_m: Point, rt60_s: float) -> FloatArray:
    """From a source to a listener in a box: [rt60_s] float32.

    Args:
        size_m: of the box.
        source_m: inside of it.
        listener_m: inside of it.
        rt60_s: reverberation time; 0: no walls.
    """
    length = max(1, round(max(rt60_s, 0.05) * SAMPLE_RATE_HZ))
    box, source, listener = (np.array(p) for p in (size_m, source_m, listener_m))
    surface = 2 * (box[0] * box[1] + box[0] * box[2] + box[1] * box[2])
    absorbed = 1 - np.exp(-0.161 * box.prod() / (surface * rt60_s)) if rt60_s else 1.0  # Eyring
    reflection = np.sqrt(max(0.0, 1 - absorbed))
    reach = length / SAMPLE_RATE_HZ * SOUND_M_S
    orders = [np.arange(-int(reach / (2 * edge)) - 1, int(reach / (2 * edge)) + 2) for edge in box]
    response = np.zeros(length + 2)
    for mirrored in np.ndindex(2, 2, 2):
        flip = np.array(mirrored)
        offsets = [
            2 * n * edge + (1 - 2 * f) * s - at
            for n, edge, f, s, at in zip(orders, box, flip, source, listener, strict=True)
        ]
        bounces = [np.abs(2 * n - f) for n, f in zip(orders, flip, strict=True)]
        x, y, z = np.meshgrid(*(o.astype(np.float32) for o in offsets), indexing="ij")
        distance = np.sqrt(x * x + y * y + z * z)
        near = distance < reach
        in_x, in_y, in_z = np.meshgrid(*bounces, indexing="ij")
        walls = (in_x + in_y + in_z)[near]
        travel = distance[near] / SOUND_M_S * SAMPLE_RATE_HZ
        strength = reflection**walls / np.maximum(distance[near], 0.01)
        whole = travel.astype(np.int64)
        part = travel - whole
        response += np.bincount(whole, strength * (1 - part), len(response))[: len(response)]
        response += np.bincount(whole + 1, strength * part, len(response))[: len(response)]
    return response[:length].astype(np.float32)


class Convolver:
    """A signal through an impulse response, piece by piece."""

    def __init__(self, response: FloatArray) -> None:
        """Begin with silence."""
        self._size = 1 << (len(response) + _BLOCK - 2).bit_length()
        self._spectrum = np.fft.rfft(response, self._size)
        self._tail = np.zeros(self._size)

    def push(self, samples: FloatArray) -> FloatArray:
        """The next samples, as they sound at the end of the response."""
        out = np.empty(len(samples), np.float32)
        for start in range(0, len(samples), _BLOCK):
            piece = samples[start : start + _BLOCK]
            self._tail += np.fft.irfft(np.fft.rfft(piece, self._size) * self._spectrum, self._size)
            out[start : start + len(piece)] = self._tail[: len(piece)]
            self._tail = np.concatenate((self._tail[len(piece) :], np.zeros(len(piece))))
        return out


@dataclass(slots=True)
class LiveRoom:
    """A room while time goes by. Levels: speech has an RMS of about 0.05 where somebody speaks."""

    room: Room
    seed: int = 0
    _rng: np.random.Generator = field(init=False)
    _echo: Convolver = field(init=False)
    _speech: Convolver = field(init=False)

    def __post_init__(self) -> None:
        """Build the walls."""
        self._rng = np.random.default_rng(self.seed)
        self._echo = Convolver(self.room.echo_response())
        self._speech = Convolver(self.room.speech_response())

    def hear(self, sounding: FloatArray, spoken: FloatArray) -> FloatArray:
        """What the microphone captures.

        Args:
            sounding: [n] what leaves the loudspeaker at this time (delayed against what was handed over).
            spoken: [n] what the person says.
        """
        echo = self._echo.push(sounding) * np.float32(10 ** (self.room.echo_db / 20))
        noise = self._rng.standard_normal(len(sounding)) * 10 ** (self.room.noise_dbfs / 20)
        heard = echo + self._speech.push(spoken) + noise.astype(np.float32)
        captured: FloatArray = np.clip(heard, -1.0, 1.0) if self.room.clips else heard
        return captured


def drift(samples: FloatArray, ppm: float) -> FloatArray:
    """The samples as a clock that is slower by ``ppm`` plays them: [n], a little longer or shorter."""
    if not ppm:
        return samples
    positions = np.arange(round(len(samples) * (1 + ppm * 1e-6))) / (1 + ppm * 1e-6)
    whole = np.floor(positions).astype(np.int64)
    part = positions - whole
    silence = np.zeros(_SINC, np.float32)
    padded = np.concatenate((silence, samples, silence)).astype(np.float64)
    out = np.zeros(len(positions))
    for tap in range(-_SINC // 2 + 1, _SINC // 2 + 1):
        x = tap - part
        window = 0.5 + 0.5 * np.cos(np.pi * x / (_SINC // 2 + 0.5))
        out += np.sinc(x) * window * padded[whole + tap + _SINC]
    return out.astype(np.float32)


def _normal(response: FloatArray) -> FloatArray:
    normal: FloatArray = response / np.float32(np.sqrt(np.square(response).sum()))
    return normal
