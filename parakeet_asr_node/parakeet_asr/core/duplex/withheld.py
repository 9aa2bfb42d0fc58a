"""Sound that waits until it is known whether a person begins to speak in it."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from parakeet_asr.core.duplex.canceller import CANCELLER_FRAME_SAMPLES
from parakeet_asr.core.timeline import SAMPLE_NS
from parakeet_asr.records import AudioChunk, FloatArray

BEHIND_FRAMES = 25
"""So long after a person sound still passes."""

_AHEAD_FRAMES = 25  # sound is held back for so long, to see whether a person begins in it
_SUSTAINED = 15  # of them with a person: what is shorter is the robot's, whose filter has not converged
_MUTED = np.float32(0.01)  # what is left of sound that the reference explains
_AVERAGED = 0.995  # of levels that are reported, per frame


@dataclass(frozen=True, slots=True)
class Frame:
    """10 ms behind the canceller."""

    stamp_ns: int
    sound: FloatArray
    near: bool  # a person may speak in it
    powers: tuple[float, float] | None = None  # before and after the canceller, where the robot sounds


class EchoLevel:
    """How loud the robot is in the microphone where it speaks alone, and how much of that is left."""

    def __init__(self) -> None:
        """Nothing was measured."""
        self.power: float | None = None
        self._left = 0.0
        self._frames = 0

    @property
    def erle_db(self) -> float | None:
        """Echo return loss enhancement, lately; None: not measured."""
        return float(10 * np.log10(self.power / max(self._left, 1e-12))) if self.power else None

    def add(self, power: float, left: float) -> None:
        """The next frame: power before and after the canceller."""
        self._frames += 1
        weight = max(1 / self._frames, 1 - _AVERAGED)
        before = self.power or 0.0
        self.power = before + weight * (power - before)
        self._left += weight * (left - self._left)


class Withheld:
    """A queue of frames; those in which only the robot speaks come out muted."""

    def __init__(self) -> None:
        """Nothing waits."""
        self.level = EchoLevel()
        self.reset()

    def reset(self) -> None:
        """Forget the sound."""
        self._frames: deque[Frame] = deque()
        self._since_near = BEHIND_FRAMES

    def __len__(self) -> int:
        """Frames that wait."""
        return len(self._frames)

    @property
    def samples(self) -> int:
        """The same in samples."""
        return len(self._frames) * CANCELLER_FRAME_SAMPLES

    def begin(self, *, somebody_speaks: bool) -> None:
        """The robot begins; who spoke until then is heard on."""
        self._since_near = 0 if somebody_speaks else BEHIND_FRAMES

    def add(self, frame: Frame) -> None:
        """The next one."""
        self._frames.append(frame)

    def release(self, *, mute: bool, wait: bool, everything: bool = False) -> list[AudioChunk]:
        """Frames that have waited long enough.

        Args:
            mute: those without a person.
            wait: False: nothing need wait.
            everything: there will be no more to wait for.
        """
        out: list[AudioChunk] = []
        keep = _AHEAD_FRAMES if wait else 0
        while self._frames and (everything or len(self._frames) > keep):
            frame = self._frames.popleft()
            with_person = frame.near + sum(later.near for later in self._frames)
            heard = with_person >= min(_SUSTAINED, keep + 1)
            self._since_near = 0 if heard else self._since_near + 1
            alone = self._since_near > BEHIND_FRAMES
            if alone and frame.powers is not None:
                self.level.add(*frame.powers)
            sound = frame.sound * _MUTED if alone and mute else frame.sound
            out.append(AudioChunk(sound, frame.stamp_ns))
        return out


def joined(chunks: list[AudioChunk]) -> list[AudioChunk]:
    """Neighbours as one chunk."""
    if len(chunks) < 2:
        return chunks
    out: list[list[AudioChunk]] = [[chunks[0]]]
    for before, chunk in pairwise(chunks):
        follows = chunk.stamp_ns == before.stamp_ns + len(before.samples) * SAMPLE_NS
        if follows and not chunk.discontinuity:
            out[-1].append(chunk)
        else:
            out.append([chunk])
    return [
        AudioChunk(np.concatenate([c.samples for c in run]), run[0].stamp_ns, run[0].discontinuity)
        for run in out
    ]
