"""Sound that was captured while somebody had muted it is taken out, to the sample.

What was captured before a mute but arrives after it is still heard, and what was captured during it but
arrives after its end is not: what counts is the capture time, on the clock on which the mute was asked
for. Stamps that are not on that clock (a recording that is played, samples that are counted from zero)
cannot be compared with it; there the time of arrival decides.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from parakeet_asr.core.timeline import SAMPLE_NS
from parakeet_asr.records import AudioChunk

SAME_CLOCK_NS = 5_000_000_000
"""Stamps further than this from the time of arrival are not of the same clock."""

LATE_NS = 500_000_000
"""For this long after a mute sound from before it is waited for; the clocks of two machines may differ."""


@dataclass(frozen=True, slots=True)
class MuteBegan:
    """Between what was heard before a mute and what comes after it."""


Passed = AudioChunk | MuteBegan


class MuteGate:
    """Not thread safe."""

    def __init__(self) -> None:
        """Everything is heard."""
        self._ended: list[tuple[int, int]] = []  # mutes of the past, [start, stop), ascending
        self._since: int | None = None  # start of the mute that goes on
        self._announce = False  # nothing was dropped since the mute began
        self.dropped_samples = 0

    @property
    def muted(self) -> bool:
        """Whether a mute goes on."""
        return self._since is not None

    def mute(self, now_ns: int) -> None:
        """Hear nothing that is captured from now on."""
        if self._since is None:
            self._since, self._announce = now_ns, True

    def unmute(self, now_ns: int) -> None:
        """Hear what is captured from now on."""
        if self._since is not None:
            self._ended.append((self._since, max(now_ns, self._since)))
            self._since = None

    def push(self, chunk: AudioChunk, now_ns: int) -> list[Passed]:
        """What is heard of a chunk that arrives now; :class:`MuteBegan` stands before what is dropped."""
        if self._since is None and not self._ended:
            return [chunk]
        if abs(now_ns - _end_ns(chunk)) > SAME_CLOCK_NS:
            self._ended.clear()
            return [chunk] if self._since is None else self._drop(len(chunk.samples))
        return list(self._cut(chunk, now_ns))

    def _cut(self, chunk: AudioChunk, now_ns: int) -> Iterator[Passed]:
        begin, end = chunk.stamp_ns, _end_ns(chunk)
        self._ended = [mute for mute in self._ended if mute[1] > begin]
        mutes = list(self._ended)
        if self._since is not None:
            late = now_ns - self._since > LATE_NS
            mutes.append((min(begin, self._since) if late else self._since, max(end, self._since)))
        position = 0  # samples of the chunk that were dealt with
        lost = False
        for start, stop in mutes:
            first = min(max(position, _sample(chunk, start)), len(chunk.samples))
            last = min(max(first, _sample(chunk, stop)), len(chunk.samples))
            if first == last:
                continue
            if first > position:
                yield _piece(chunk, position, first, lost)
            yield from self._drop(last - first)
            position, lost = last, True
        if position < len(chunk.samples):
            yield _piece(chunk, position, len(chunk.samples), lost)

    def _drop(self, samples: int) -> list[Passed]:
        self.dropped_samples += samples
        began, self._announce = self._announce, False
        return [MuteBegan()] if began else []


def _end_ns(chunk: AudioChunk) -> int:
    return chunk.stamp_ns + len(chunk.samples) * SAMPLE_NS


def _sample(chunk: AudioChunk, time_ns: int) -> int:
    """The first sample of the chunk that was captured at ``time_ns`` or later."""
    return -((chunk.stamp_ns - time_ns) // SAMPLE_NS)


def _piece(chunk: AudioChunk, start: int, stop: int, lost: bool) -> AudioChunk:
    stamp_ns = chunk.stamp_ns + start * SAMPLE_NS
    return AudioChunk(chunk.samples[start:stop], stamp_ns, lost or (chunk.discontinuity and start == 0))
