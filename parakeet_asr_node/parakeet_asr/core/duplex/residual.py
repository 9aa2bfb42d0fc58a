"""Is there speech that the reference cannot explain? Answered from energies, also where sound clips.

In every mel band the energy of what is left of the microphone's sound is compared with what the aligned
reference predicts: its energy, drawn out by the room's tail, times a gain that adapts. Where a canceller
works the gain is small and a person stands out far; where it fails, because the loudspeaker is near and
clips, a person is still seen in the bands and moments in which the reference is weak.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from parakeet_asr.core.filterbank import slaney_filterbank
from parakeet_asr.records import FloatArray

FRAME_SAMPLES = 160
"""A frame, 10 ms; energies are taken over WINDOW_SAMPLES that end with it."""

WINDOW_SAMPLES = 400
_FFT = 512
_BANDS = 24
_TAIL_DB = 1.5  # by which the echo's energy falls per frame: 60 dB in 0.4 s
_GAIN_STEP_DB = 0.2  # by which a gain follows per frame
_HELD = 0.1  # of that, while a person seems to speak
_QUIET_STEP_DB = (3.0, 0.02)  # by which the noise floor falls and rises per frame
_ACTIVE_DBFS = -75.0  # a band of the reference below it predicts nothing
_LEARN_FRAMES = 25  # of the robot alone, from which the first gains are taken
_DEVIATIONS = 1.2  # average deviations above the prediction that are still explained
_LIMIT_DB = 15.0  # more in one band counts as this much
_SMOOTHING = 0.75


@dataclass(frozen=True, slots=True)
class ResidualOptions:
    """When a frame holds a person."""

    threshold_db: float = 2.5  # unexplained energy, mean over the bands
    least_share: float = 0.08  # of the microphone's power that the canceller leaves, where a person speaks


class ResidualDetector:
    """Frame by frame; not thread safe."""

    def __init__(self, options: ResidualOptions | None = None) -> None:
        """Know no room yet."""
        self._options = options or ResidualOptions()
        self._mel = slaney_filterbank(_BANDS).astype(np.float64)
        self._window = np.hanning(WINDOW_SAMPLES)
        self.reset()

    def reset(self) -> None:
        """Forget the room."""
        self._gain_db = np.zeros(_BANDS)
        self._deviation_db = np.full(_BANDS, 4.0)
        self._learned = np.zeros(_BANDS)  # frames
        self._noise_db = np.full(_BANDS, -70.0)
        self._drawn_out_db = np.full(_BANDS, -200.0)
        self.score_db = 0.0
        self._share = 1.0

    def relearn(self) -> None:
        """The way of the echo is another one: what a canceller leaves of it is learned anew."""
        self._learned[:] = 0.0
        self.score_db = 0.0

    @property
    def near(self) -> bool:
        """Whether the last frame holds sound that the reference cannot explain."""
        options = self._options
        return self.score_db > options.threshold_db and self._share > options.least_share

    def push(
        self, sound: FloatArray, reference: FloatArray, share: float = 1.0, *, blind: bool = False
    ) -> float:
        """The score of the next frame.

        Args:
            sound: [WINDOW_SAMPLES] what the canceller left (or the microphone), to the end of the frame.
            reference: the same of what was played, aligned.
            share: of the microphone's power, lately, that is in ``sound``. A canceller that has converged
                leaves a hundredth of the robot, and nearly all of a person.
            blind: the frame tells nothing, because the sound was clipped.

        Returns:
            Unexplained energy in dB, mean over bands, smoothed.
        """
        self._share = share
        heard_db = self._energies_db(sound)
        reference_db = self._energies_db(reference)
        self._drawn_out_db = np.maximum(reference_db, self._drawn_out_db - _TAIL_DB)
        active = self._drawn_out_db > _ACTIVE_DBFS
        predicted_db = np.where(active, self._drawn_out_db + self._gain_db, -200.0)
        explained_db = np.logaddexp(predicted_db * _LN, self._noise_db * _LN) / _LN
        allowed_db = np.where(active, _DEVIATIONS * self._deviation_db, 4.0)
        excess = np.clip(heard_db - explained_db - allowed_db, 0.0, _LIMIT_DB)
        learning = self._learned < _LEARN_FRAMES
        frame_score = 0.0 if blind else float(np.where(active & learning, 0.0, excess).mean())
        self.score_db = _SMOOTHING * self.score_db + (1 - _SMOOTHING) * frame_score
        sounding = active & (reference_db >= self._drawn_out_db)  # not only the tail, which may be shorter
        if not blind:
            self._adapt(heard_db, active, sounding, learning)
        return self.score_db

    def _adapt(
        self, heard_db: np.ndarray, active: np.ndarray, sounding: np.ndarray, learning: np.ndarray
    ) -> None:
        ratio_db = heard_db - self._drawn_out_db
        above_noise = sounding & (heard_db > self._noise_db + 3.0)
        first = above_noise & learning
        self._gain_db[first] += (ratio_db[first] - self._gain_db[first]) / (self._learned[first] + 1)
        self._learned += above_noise
        later = sounding & ~learning
        step = _GAIN_STEP_DB * (_HELD if self.near else 1.0)
        off = ratio_db - self._gain_db
        self._gain_db[later] += step * np.sign(off[later])
        if not self.near:
            spread = np.abs(off[later]) - self._deviation_db[later]
            self._deviation_db[later] = np.clip(self._deviation_db[later] + 0.02 * spread, 2.0, 8.0)
        down, up = _QUIET_STEP_DB
        self._noise_db += np.clip(heard_db - self._noise_db, -down, 0.0 if active.any() else up)

    def _energies_db(self, samples: FloatArray) -> np.ndarray:
        power = np.square(np.abs(np.fft.rfft(samples * self._window, _FFT))) / _FFT**2
        energies: np.ndarray = 10 * np.log10(self._mel @ power * 100 + 1e-14)
        return energies


_LN = np.log(10) / 10
