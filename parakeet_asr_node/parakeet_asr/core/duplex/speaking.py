"""When the robot speaks, by what several witnesses say, on the clock of the capture times.

A witness is anything that knows something: the status of a text-to-speech action, a flag, the sound that
is played, or only the text that is to be said. None is required. The robot speaks while any of them says
so, and for a tail after that, while the room goes on sounding.
"""

from __future__ import annotations

from dataclasses import dataclass, field

Interval = tuple[int, int]
"""Capture times in nanoseconds, [start, stop)."""

_LEAST_ESTIMATE_NS = 500_000_000  # a text is not spoken in less


@dataclass(slots=True)
class _Witness:
    """What one of them said."""

    spans: list[Interval] = field(default_factory=list)  # over, or with a known end
    began_ns: int | None = None  # speech that goes on
    heard_ns: int = 0  # its last word
    died: bool = False  # the watchdog ended what it had begun


@dataclass(slots=True)
class _Estimate:
    """Speech of which only the text is known."""

    said_ns: int
    start_ns: int
    stop_ns: int


class SpeakingTimeline:
    """Not thread safe. Times may come late and in any order; they count from when they say."""

    def __init__(
        self, tail_s: float = 0.3, watchdog_s: float = 3.0, seconds_per_character: float = 0.07
    ) -> None:
        """Nobody has spoken yet."""
        self.set_times(tail_s, watchdog_s, seconds_per_character)
        self._witnesses: dict[str, _Witness] = {}
        self._estimates: list[_Estimate] = []
        self.releases = 0  # speech that the watchdog ended

    def set_times(self, tail_s: float, watchdog_s: float, seconds_per_character: float) -> None:
        """Use other times from now on."""
        self._tail_ns = round(tail_s * 1e9)
        self._watchdog_ns = round(watchdog_s * 1e9)
        self._character_ns = round(seconds_per_character * 1e9)

    # --- what witnesses say -----------------------------------------------------------------------

    def began(self, witness: str, stamp_ns: int) -> None:
        """The robot began to speak at ``stamp_ns``; saying it again is a sign of life."""
        known = self._witnesses.setdefault(witness, _Witness())
        if known.began_ns is None:
            known.began_ns, known.heard_ns, known.died = stamp_ns, stamp_ns, False
        else:
            known.heard_ns = max(known.heard_ns, stamp_ns)

    def ended(self, witness: str, stamp_ns: int) -> None:
        """The robot stopped speaking at ``stamp_ns``."""
        known = self._witnesses.setdefault(witness, _Witness())
        if known.began_ns is not None:
            if stamp_ns > known.began_ns:
                known.spans.append((known.began_ns, stamp_ns))
            known.began_ns = None
        known.died = False
        self._supersede(stamp_ns)

    def heartbeat(self, witness: str, stamp_ns: int) -> None:
        """A witness that began something is still there; one that was taken for dead goes on."""
        known = self._witnesses.get(witness)
        if known is None:
            return
        if known.began_ns is not None:
            known.heard_ns = max(known.heard_ns, stamp_ns)
        elif known.died:
            self.began(witness, stamp_ns)

    def span(self, witness: str, start_ns: int, stop_ns: int) -> None:
        """The robot speaks from ``start_ns`` to ``stop_ns``: sound that is played says both at once."""
        spans = self._witnesses.setdefault(witness, _Witness()).spans
        if spans and spans[-1][0] <= start_ns <= spans[-1][1]:
            spans[-1] = (spans[-1][0], max(spans[-1][1], stop_ns))
        else:
            spans.append((start_ns, stop_ns))
        self._supersede(start_ns)

    def cut(self, witness: str, stamp_ns: int) -> None:
        """What the witness announced beyond ``stamp_ns`` does not happen."""
        known = self._witnesses.get(witness)
        if known is not None:
            known.spans = [(a, min(b, stamp_ns)) for a, b in known.spans if a < stamp_ns]

    def text(self, text: str, stamp_ns: int) -> None:
        """The robot was asked at ``stamp_ns`` to say ``text``.

        How long that takes is estimated; texts are said one after the other. As soon as a better witness
        says when it is (or was) spoken, the estimate ends.
        """
        busy_ns = max((e.stop_ns for e in self._estimates if e.said_ns <= stamp_ns), default=stamp_ns)
        start_ns = max(stamp_ns, busy_ns)
        length_ns = max(_LEAST_ESTIMATE_NS, len(text) * self._character_ns)
        self._estimates.append(_Estimate(stamp_ns, start_ns, start_ns + length_ns))

    def _supersede(self, stamp_ns: int) -> None:
        for estimate in self._estimates:
            if estimate.said_ns <= stamp_ns:
                estimate.stop_ns = min(estimate.stop_ns, stamp_ns)
        self._estimates = [e for e in self._estimates if e.stop_ns > e.start_ns]

    # --- questions --------------------------------------------------------------------------------

    def speaking(self, stamp_ns: int) -> bool:
        """Whether the robot, or what the room made of its voice, could be heard at ``stamp_ns``."""
        return bool(self.intervals(stamp_ns, stamp_ns + 1))

    def intervals(self, start_ns: int, stop_ns: int) -> list[Interval]:
        """When it could be heard between two times: ascending, apart from each other, tails included."""
        merged: list[Interval] = []
        for a, b in sorted(self._all()):
            start, stop = max(a, start_ns), min(b + self._tail_ns, stop_ns)
            if start >= stop:
                continue
            if merged and start <= merged[-1][1]:
                merged[-1] = (merged[-1][0], max(stop, merged[-1][1]))
            else:
                merged.append((start, stop))
        return merged

    def release_dead(self, now_ns: int) -> None:
        """End the speech of witnesses that were silent for too long before ``now_ns``."""
        for known in self._witnesses.values():
            if known.began_ns is not None and now_ns >= known.heard_ns + self._watchdog_ns:
                known.spans.append((known.began_ns, known.heard_ns + self._watchdog_ns))
                known.began_ns, known.died = None, True
                self.releases += 1

    def forget_before(self, stamp_ns: int) -> None:
        """Times before ``stamp_ns`` will not be asked for again."""
        oldest = stamp_ns - self._tail_ns
        for known in self._witnesses.values():
            known.spans = [span for span in known.spans if span[1] > oldest]
        self._estimates = [e for e in self._estimates if e.stop_ns > oldest]

    def _all(self) -> list[Interval]:
        spans = [span for known in self._witnesses.values() for span in known.spans]
        spans += [
            (known.began_ns, known.heard_ns + self._watchdog_ns)
            for known in self._witnesses.values()
            if known.began_ns is not None
        ]
        return spans + [(e.start_ns, e.stop_ns) for e in self._estimates]
