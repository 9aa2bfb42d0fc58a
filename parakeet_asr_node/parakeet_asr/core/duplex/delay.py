"""How long after a sound is handed over its echo is captured."""

from __future__ import annotations

import numpy as np

from parakeet_asr.records import SAMPLE_RATE_HZ, FloatArray

SEARCH_SAMPLES = 3 * SAMPLE_RATE_HZ // 2
"""Delays from 0 to 1.5 s are looked for."""

WINDOW_SAMPLES = SAMPLE_RATE_HZ
"""So much of the microphone is compared at a time."""

_SIZE = 65_536  # of the transform: window, search and their sum fit in
_MEMORY = 0.7  # of earlier comparisons in the next one
_SURE = 9.0  # a peak of so many standard deviations is no chance
_ALONE = 2.0  # and of so many times any other: a short sound makes several high peaks by chance, an echo one
_BESIDE_SAMPLES = SAMPLE_RATE_HZ // 100  # the echo's own reflections lie within
_HEARD_SAMPLES = 3 * SAMPLE_RATE_HZ // 20  # 0.15 s of an echo, before it is believed
_LOW_BIN, _HIGH_BIN = (round(hz * _SIZE / SAMPLE_RATE_HZ) for hz in (150, 5000))
_SAME_SAMPLES = 24  # peaks no further apart (1.5 ms) are the same delay


class DelaySearch:
    """Generalized cross-correlation with phase transform (Knapp and Carter 1976), added up over time.

    The delay changes with every utterance (the synthesizer's start-up) and creeps (two clocks); it is
    followed when a new one was found twice, so that a canceller behind it is not disturbed without need.
    """

    def __init__(self) -> None:
        """Know nothing."""
        self.delay_samples: int | None = None  # the last one that was sure
        self.restart()

    def restart(self) -> None:
        """A new utterance is played: its delay may be another one."""
        self.confirmed = False
        self._sum = np.zeros(SEARCH_SAMPLES)
        self._candidate: int | None = None

    def look(self, near: FloatArray, far: FloatArray, playing_samples: int) -> None:
        """Compare.

        Args:
            near: [WINDOW_SAMPLES] of the microphone.
            far: [SEARCH_SAMPLES + WINDOW_SAMPLES] of what was played, to the same time.
            playing_samples: since the utterance began to be played. What was played before has a delay of
                its own, and no delay is believed whose echo cannot have come yet.
        """
        far = far.copy()
        far[: max(0, len(far) - playing_samples)] = 0.0
        longest = min(SEARCH_SAMPLES, playing_samples - _HEARD_SAMPLES)
        if longest <= 0:
            return
        spectrum = np.fft.rfft(near, _SIZE) * np.fft.rfft(far, _SIZE).conj()
        spectrum[:_LOW_BIN] = spectrum[_HIGH_BIN:] = 0.0
        spectrum /= np.abs(spectrum) + 1e-12
        correlation = np.fft.irfft(spectrum, _SIZE)
        # near[n] = far[n + SEARCH - delay]: the lag of a delay is delay - SEARCH
        by_delay = np.roll(correlation, SEARCH_SAMPLES)[:SEARCH_SAMPLES]
        self._sum = _MEMORY * self._sum + by_delay
        allowed = self._sum[:longest]
        peak = int(np.argmax(allowed))
        others = np.concatenate(
            (allowed[: max(0, peak - _BESIDE_SAMPLES)], allowed[peak + _BESIDE_SAMPLES :])
        )
        least = max(_SURE * self._sum.std(), _ALONE * others.max(initial=0.0))
        if self._sum[peak] < least:
            return
        again = self._candidate is not None and abs(peak - self._candidate) <= _SAME_SAMPLES
        known = self.delay_samples is not None and abs(peak - self.delay_samples) <= _SAME_SAMPLES
        self._candidate = peak
        if known:
            self.confirmed = True
        elif again:
            self.delay_samples, self.confirmed = peak, True
