"""Half duplex: nothing is heard that was captured while the robot spoke, to the sample."""

from __future__ import annotations

from collections.abc import Iterator

from parakeet_asr.core.duplex.speaking import SpeakingTimeline
from parakeet_asr.core.session import SpeechSession
from parakeet_asr.core.timeline import SAMPLE_NS
from parakeet_asr.records import SAMPLE_RATE_HZ, AudioChunk, EndReason, Event, Gated


class SpeechGate:
    """Stands before a session. What a person said before the robot began is ended and kept.

    Somebody may say late that the robot began: sound of that time was heard already. Then the open
    utterance is ended at the time at which the robot began, and what was heard after it is forgotten.
    """

    def __init__(self, session: SpeechSession, timeline: SpeakingTimeline) -> None:
        """Let through to ``session`` what ``timeline`` does not forbid."""
        self._session = session
        self._timeline = timeline
        self.gated_samples = 0
        self.reset()

    def reset(self) -> None:
        """The gate is open and nothing went through."""
        self.closed = False
        self._heard: tuple[int, int] | None = None  # capture times of what went through without a break

    def push(self, chunk: AudioChunk, partials: bool) -> list[Event]:
        """Take the next chunk; what happened, in order."""
        events = self.look_back()
        for start, stop, robot in self._pieces(chunk):
            stamp_ns = chunk.stamp_ns + start * SAMPLE_NS
            if robot:
                if not self.closed:
                    events += self._close(stamp_ns)
                self.gated_samples += stop - start
                continue
            if self.closed:
                events += self.open(stamp_ns)
            lost = chunk.discontinuity and start == 0
            piece = AudioChunk(chunk.samples[start:stop], stamp_ns, lost)
            events += self._session.push(piece, partials=partials)
            since = stamp_ns if self._heard is None else self._heard[0]
            self._heard = (since, stamp_ns + (stop - start) * SAMPLE_NS)
        return events

    def look_back(self) -> list[Event]:
        """End what was heard although, as is known by now, the robot spoke."""
        if self._heard is None:
            return []
        since, until = self._heard
        late = self._timeline.intervals(since, until)
        if not late:
            return []
        start, stop = late[0][0], late[-1][1]
        self.gated_samples += (until - start) // SAMPLE_NS
        events = self._session.end_at(start, EndReason.FORCED)
        self._session.reset()
        self._heard = None
        self.closed = True
        events.append(Gated(True, start))
        return events if stop == until else events + self.open(until)

    def open(self, stamp_ns: int) -> list[Event]:
        """Hear again from ``stamp_ns`` on."""
        self.closed = False
        return [Gated(False, stamp_ns)]

    def _close(self, stamp_ns: int) -> list[Event]:
        events = self._session.finish(EndReason.FORCED)
        self._session.reset()  # what comes later is not late, it is another stretch of time
        self._heard = None
        self.closed = True
        return [*events, Gated(True, stamp_ns)]

    def _pieces(self, chunk: AudioChunk) -> Iterator[tuple[int, int, bool]]:
        """The chunk cut where the robot begins or ends: samples [start, stop), and whether it speaks."""
        size = len(chunk.samples)
        position = 0
        for a, b in self._timeline.intervals(chunk.stamp_ns, chunk.stamp_ns + size * SAMPLE_NS):
            first = min(size, _sample(chunk, a))
            last = min(size, _sample(chunk, b))
            if first > position:
                yield position, first, False
            if last > first:
                yield first, last, True
            position = max(position, last)
        if position < size:
            yield position, size, False

    @property
    def gated_s(self) -> float:
        """Sound that was not heard."""
        return self.gated_samples / SAMPLE_RATE_HZ


def _sample(chunk: AudioChunk, time_ns: int) -> int:
    """The first sample of the chunk that was captured at ``time_ns`` or later."""
    return max(0, -((chunk.stamp_ns - time_ns) // SAMPLE_NS))
