"""A cheap look at sound before the voice detector: is anything new in it at all?

The detector costs most of what listening to an empty room costs. Speech is louder than the room in some
part of the spectrum, so frames in which no band rises above what the room has need no detector. The room is
learned from frames that the detector itself called no speech, and from those that need none; so a fan that
is switched on opens the gate for a second, and then is the room.

The gate alone decides nothing about speech: what passes is judged by the detector, in order and with the
frames before it (:mod:`parakeet_asr.core.voice_watch`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from parakeet_asr.records import SAMPLE_RATE_HZ, FloatArray

_EDGES_HZ = (90, 330, 580, 830, 1080, 1580, 2080, 2580, 3080, 3580, 4080, 5080, 6080, 7080)
_QUIETEST = 1e-5  # amplitude of white noise (-100 dBFS) below which nothing is worth a look


@dataclass(frozen=True, slots=True)
class GateOptions:
    """When frames pass."""

    threshold: float = 0.2  # mean over the bands of r - 1 - ln r, r = power over the room's
    hold_s: float = 0.5  # stays open behind the last frame that was louder
    learn_s: float = 0.5  # of the room, before the gate may close
    closed_s: float = 1.0  # time constant with which the room is followed while nothing is new
    open_s: float = 0.5  # the same while the detector says that what is new is no speech
    no_speech: float = 0.1  # probability below which it says so
    look_back_s: float = 3.0  # that the detector hears when the gate opens: its memory is that long


class EnergyGate:
    """Frames in, whether each needs the detector out. Carries state; a function of the samples only."""

    def __init__(self, frame_samples: int, options: GateOptions | None = None) -> None:
        """Frames of [frame_samples] will come, at 16 kHz."""
        self.options = options or GateOptions()
        self._frame_s = frame_samples / SAMPLE_RATE_HZ
        self._window = np.hanning(frame_samples).astype(np.float32)
        bins = np.rint(np.array(_EDGES_HZ) * frame_samples / SAMPLE_RATE_HZ).astype(np.intp)
        self._first, self._last = int(bins[0]), int(bins[-1])
        self._starts = bins[:-1] - self._first
        quietest = _QUIETEST**2 * float(np.square(self._window).sum())
        self._least = (quietest * np.diff(bins)).astype(np.float32)  # power per band
        self._room = self._least.copy()
        self._power = self._least.copy()  # of the last frame
        self._learned = 0  # frames
        self._open_frames = 0  # for which it still stays open

    def passes(self, frame: FloatArray, busy: bool) -> bool:
        """Whether the detector has to hear this frame.

        Args:
            frame: [frame_samples] float32.
            busy: somebody is speaking, or may just have begun.
        """
        spectrum = np.fft.rfft(frame * self._window)[self._first : self._last]
        power = np.add.reduceat(spectrum.real**2 + spectrum.imag**2, self._starts)
        self._power = np.maximum(power, self._least)
        ratio = np.maximum(self._power / self._room, 1.0)
        if float(np.mean(ratio - 1.0 - np.log(ratio))) > self.options.threshold:
            self._open_frames = round(self.options.hold_s / self._frame_s)
        elif self._open_frames:
            self._open_frames -= 1
        if busy or self._open_frames or self._learned * self._frame_s < self.options.learn_s:
            return True
        self._follow(self.options.closed_s)
        return False

    def learn(self, probability: float) -> None:
        """What the detector said of the frame that passed last."""
        if probability < self.options.no_speech:
            if self._learned == 0:
                self._room = self._power
            self._learned += 1
            self._follow(self.options.open_s)

    def _follow(self, time_constant_s: float) -> None:
        self._room = self._room + (self._power - self._room) * (self._frame_s / time_constant_s)
