"""Sample counts to capture time, and the gaps between what the stamps say and what was counted."""

from __future__ import annotations

from dataclasses import dataclass

from parakeet_asr.records import SAMPLE_RATE_HZ, AudioChunk

SAMPLE_NS = 1_000_000_000 // SAMPLE_RATE_HZ  # 62 500, exact


@dataclass(frozen=True, slots=True)
class Jump:
    """The stamps and the sample count part by ``missing_ns`` (negative: time went back)."""

    missing_ns: int


class Timeline:
    """Maps positions in the stream of samples to capture time.

    Within an utterance time is counted in samples from one stamp, so that jitter of later stamps moves
    no word. Only a jump beyond the tolerance sets a new anchor. In silence the anchor follows the
    stamps, so that a sound card whose clock drifts never adds up to a jump.
    """

    def __init__(self, tolerance_s: float) -> None:
        """Deviations up to ``tolerance_s`` are jitter, beyond it samples are missing."""
        self.set_tolerance(tolerance_s)
        self.reset()

    def set_tolerance(self, tolerance_s: float) -> None:
        """Take another tolerance for the chunks that follow."""
        self._tolerance_ns = round(tolerance_s * 1e9)

    def reset(self) -> None:
        """Forget every stamp."""
        self._anchors: list[tuple[int, int]] = []  # (sample, stamp_ns), ascending
        self.position = 0  # samples so far

    def push(self, chunk: AudioChunk, follow: bool) -> Jump | None:
        """Account for a chunk before its samples are used.

        Args:
            chunk: the next piece of the stream.
            follow: whether no utterance is open, so that the anchor may follow the stamp.
        """
        jump = None
        if not self._anchors:
            self._anchors = [(self.position, chunk.stamp_ns)]
        elif deviation := chunk.stamp_ns - self.stamp_ns(self.position):
            if abs(deviation) > self._tolerance_ns or chunk.discontinuity:
                jump = Jump(deviation)
                self._anchors.append((self.position, chunk.stamp_ns))
            elif follow:
                self._anchors.append((self.position, chunk.stamp_ns))
        self.position += len(chunk.samples)
        return jump

    def stamp_ns(self, sample: int) -> int:
        """Capture time of a sample."""
        base, stamp = next((a for a in reversed(self._anchors) if a[0] <= sample), self._anchors[0])
        return stamp + (sample - base) * SAMPLE_NS

    def sample_at(self, stamp_ns: int) -> int:
        """The first sample captured at ``stamp_ns`` or later; counted on where there is none."""
        following: int | None = None
        for base, stamp in reversed(self._anchors):
            if stamp <= stamp_ns:
                sample = base - (stamp - stamp_ns) // SAMPLE_NS
                return sample if following is None else min(sample, following)
            following = base
        return self.position if following is None else following

    def forget_before(self, sample: int) -> None:
        """Drop anchors that no later question can need."""
        while len(self._anchors) > 1 and self._anchors[1][0] <= sample:
            self._anchors.pop(0)
