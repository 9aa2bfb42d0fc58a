"""Runs the voice detector over a stream of samples, frame by frame, where there may be something to hear."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from parakeet_asr.core.endpoint import VoiceDetector
from parakeet_asr.core.energy_gate import EnergyGate
from parakeet_asr.core.sample_buffer import SampleBuffer
from parakeet_asr.records import SAMPLE_RATE_HZ


class VoiceWatch:
    """Gives every frame a speech probability, in order.

    Frames that do not pass the gate wait for the length of the look-back. When the gate opens meanwhile, the
    detector hears them first, so that it knows the room and misses no soft beginning; else they are silence.
    """

    def __init__(self, detector: VoiceDetector, gate: EnergyGate | None) -> None:
        """Without a gate the detector hears every frame."""
        self._detector = detector
        self._gate = gate
        self._looked = 0  # samples that the gate has seen
        self.position = 0  # samples that have a probability
        self.heard_frames = 0  # by the detector
        self.skipped_frames = 0

    def restart(self, at_sample: int) -> None:
        """Another stretch of sound begins at ``at_sample``; the room stays the room."""
        self._detector.reset()
        self._looked = self.position = at_sample

    def use_gate(self, gate: EnergyGate | None) -> None:
        """Go on with another gate, or without; frames that wait are heard with the next one."""
        self._gate = gate

    @property
    def gated(self) -> bool:
        """Whether there is a gate."""
        return self._gate is not None

    def probabilities(self, buffer: SampleBuffer, busy: Callable[[], bool]) -> Iterator[float]:
        """The probabilities of all whole frames that became known; :attr:`position` is behind each.

        Args:
            buffer: holds everything from :attr:`position` on.
            busy: whether somebody is speaking or may just have begun, asked before each frame.
        """
        frame, gate = self._detector.frame_samples, self._gate
        while self._looked + frame <= buffer.end:
            sound = buffer.view(self._looked, self._looked + frame)
            self._looked += frame
            if gate is not None and not gate.passes(sound, busy()):
                if self._looked - self.position > gate.options.look_back_s * SAMPLE_RATE_HZ:
                    self.position += frame
                    self.skipped_frames += 1
                    yield 0.0
                continue
            probability = 0.0
            while self.position < self._looked:
                probability = self._detector.probability(buffer.view(self.position, self.position + frame))
                self.position += frame
                self.heard_frames += 1
                yield probability
            if gate is not None:
                gate.learn(probability)
