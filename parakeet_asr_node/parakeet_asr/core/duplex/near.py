"""Whether a person speaks: by what the canceller leaves where it works, else by what was captured."""

from __future__ import annotations

import numpy as np

from parakeet_asr.core.duplex.residual import FRAME_SAMPLES, WINDOW_SAMPLES, ResidualDetector, ResidualOptions
from parakeet_asr.records import FloatArray

_LATELY = 0.9  # of powers in the next frame's: they are those of the last 0.1 s
_WORKS = 0.3  # a canceller that leaves less of the echo now and then works
_MORE = 2.0  # a person is more than so many times what it leaves of the echo at its best
_FORGETS = 0.001  # by which the least that it left is less to be trusted, per frame: 0.1 per second
_WORSENS = 2.0  # one that leaves so many times what was captured is aligned to another way
_CLIPPED = 0.98  # of full scale: what was louder is not known, and no model of the echo holds
_LOUD = 1e-6  # power of sound of which it is worth saying what is left: -60 dB


class NearDetector:
    """Frame by frame while the delay is known; not thread safe.

    A linear canceller fails where the loudspeaker clips, and before its filter has found the room. What it
    leaves then rises and falls for reasons of its own, and is no evidence of anybody.
    """

    def __init__(self) -> None:
        """Know no room yet."""
        self._left = ResidualDetector()
        self._captured = ResidualDetector(ResidualOptions(threshold_db=4.0, least_share=0.0))
        self._windows = np.zeros((2, WINDOW_SAMPLES), np.float32)  # captured, left
        self._lately = np.zeros(2)  # their powers
        self._share = 1.0  # of the captured power that was left lately
        self._least = 1.0  # the same at its best

    @property
    def near(self) -> bool:
        """Whether the last frame holds sound that the reference cannot explain."""
        if self._least < _WORKS:
            return self._left.near and self._share > _MORE * self._least
        return self._captured.near

    @property
    def worsens(self) -> bool:
        """Whether the canceller adds far more than it takes.

        Not a little more: without an echo it leaves about what was captured, and changing from one to the
        other and back breaks words.
        """
        return bool(self._lately[1] > _WORSENS * self._lately[0])

    def forget_sound(self) -> None:
        """Other sound comes; what is known of the room stays."""
        self._windows[:] = 0.0
        self._lately[:] = 0.0

    def relearn(self) -> None:
        """The way of the echo is another one: what is left of it is learned anew; it is as loud as it was."""
        self._left.relearn()
        self._least = 1.0

    def listen(self, captured: FloatArray, left: FloatArray) -> None:
        """A frame, of which nothing can be said: the delay is not known.

        Args:
            captured: [FRAME_SAMPLES] of the microphone.
            left: the same behind the canceller, or the same again without one.
        """
        self._windows[:, :-FRAME_SAMPLES] = self._windows[:, FRAME_SAMPLES:]
        self._windows[:, -FRAME_SAMPLES:] = captured, left
        powers = np.mean(np.square(self._windows[:, -FRAME_SAMPLES:]), axis=1)
        self._lately = _LATELY * self._lately + (1 - _LATELY) * powers

    def push(self, captured: FloatArray, left: FloatArray, reference: FloatArray) -> bool:
        """Whether a person speaks in the next frame.

        Args:
            captured: [FRAME_SAMPLES] of the microphone.
            left: the same behind the canceller.
            reference: [WINDOW_SAMPLES] of what was played, aligned, to the end of the frame.
        """
        self.listen(captured, left)
        self._share = float(self._lately[1] / max(self._lately[0], 1e-12))
        self._least = min(1.0, self._least + _FORGETS)
        if self._lately[0] > _LOUD:
            self._least = min(self._least, self._share)
        blind = bool(np.abs(self._windows[0]).max() >= _CLIPPED)
        self._captured.push(self._windows[0], reference, blind=blind)
        self._left.push(self._windows[1], reference, self._share, blind=blind)
        return self.near
