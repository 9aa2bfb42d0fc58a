"""Where in what is played the echo comes from that is heard now."""

from __future__ import annotations

import numpy as np

from parakeet_asr.core.duplex.delay import SEARCH_SAMPLES, WINDOW_SAMPLES, DelaySearch
from parakeet_asr.core.duplex.playback import Playback
from parakeet_asr.records import SAMPLE_RATE_HZ, FloatArray

_ECHO_TAIL = round(0.6 * SAMPLE_RATE_HZ)  # behind the last echo the room is still sounding
_SEARCH_FRAMES = (10, 50)  # between two comparisons, while the delay is not sure and when it is
_UNHEARD = SEARCH_SAMPLES + SAMPLE_RATE_HZ  # no echo was found for so long: there is none
_EARLY = round(0.3 * SAMPLE_RATE_HZ)  # by which an echo may come earlier than the last one did


class EchoAlignment:
    """The microphone's clock against what is played; positions are samples of that clock."""

    def __init__(self, playback: Playback) -> None:
        """Look for the echo of ``playback``."""
        self._playback = playback
        self._search = DelaySearch()
        self.reset()

    def reset(self) -> None:
        """Other sound comes; the last delay stays known."""
        self._frames = 0
        self._since: int | None = None

    @property
    def playing(self) -> bool:
        """Whether an utterance of the robot's is followed."""
        return self._since is not None

    @property
    def delay_samples(self) -> int | None:
        """From handing a sound over to its echo; None: never found."""
        return self._search.delay_samples

    @property
    def confirmed(self) -> bool:
        """Whether the delay is that of this utterance."""
        return self._search.confirmed and self._search.delay_samples is not None

    def begin(self, clock: int) -> None:
        """An utterance begins to be played: its delay may be another one."""
        self._since = clock
        self._search.restart()

    def end(self) -> None:
        """Nothing of it can be heard any more."""
        self._since = None

    def audible(self, start: int, stop: int) -> bool:
        """Whether anything that is played can be heard in [start, stop)."""
        delay = self._search.delay_samples
        reach = SEARCH_SAMPLES if delay is None or not self._search.confirmed else delay
        return self._playback.audible(start - reach - _ECHO_TAIL, stop)

    def robot_sounds(self, start: int, stop: int) -> bool:
        """Whether what is heard in [start, stop) is played, by the delay that is known."""
        delay = self._search.delay_samples or 0
        return self._playback.audible(start - delay, stop - delay)

    def may_be_echo(self, clock: int) -> bool:
        """Where the delay of this utterance is not found yet, only time tells."""
        playing = clock - (self._since or clock)
        known = self._search.delay_samples
        earliest = 0 if known is None else known - _EARLY
        return earliest <= playing < _UNHEARD

    def due(self) -> bool:
        """Count a frame; whether it is time to look again."""
        self._frames += 1
        return self._frames % _SEARCH_FRAMES[self._search.confirmed] == 0

    def look(self, captured: FloatArray, clock: int) -> bool:
        """Look for the delay; whether another one was found.

        Args:
            captured: up to [WINDOW_SAMPLES] of the microphone, to ``clock``.
            clock: behind its last sample.
        """
        near = np.zeros(WINDOW_SAMPLES, np.float32)
        near[WINDOW_SAMPLES - len(captured) :] = captured
        before = self._search.delay_samples
        far = self._playback.read(clock - SEARCH_SAMPLES - WINDOW_SAMPLES, clock)
        self._search.look(near, far, clock - (self._since or clock))
        return self._search.delay_samples != before

    def reference(self, stop: int, count: int, lead: int = 0) -> FloatArray:
        """What was played of which the echo is heard in the ``count`` samples before ``stop``: [count].

        ``lead``: take it so much earlier in the echo, as far as the delay allows.
        """
        delay = self._search.delay_samples or 0
        end = stop - delay + min(lead, delay)
        return self._playback.read(end - count, end)
