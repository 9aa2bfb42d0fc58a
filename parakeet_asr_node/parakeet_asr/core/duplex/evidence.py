"""What the residual detector said of the last minute, for who asks about a word later."""

from __future__ import annotations

from bisect import bisect_left

FRAME_NS = 10_000_000


class NearEvidence:
    """Frames in which something was played, and whether a person spoke in them."""

    def __init__(self) -> None:
        """Nothing was played."""
        self._stamps_ns: list[int] = []
        self._near: list[bool] = []

    def add(self, stamp_ns: int, near: bool) -> None:
        """The next frame; frames without playback are left out."""
        self._stamps_ns.append(stamp_ns)
        self._near.append(near)

    def near_fraction(self, start_ns: int, stop_ns: int) -> float | None:
        """Part of the time in which a person spoke; None where less than half of it is known."""
        first = bisect_left(self._stamps_ns, start_ns - FRAME_NS // 2)
        last = bisect_left(self._stamps_ns, max(stop_ns, start_ns + FRAME_NS) - FRAME_NS // 2)
        if (last - first) * 2 * FRAME_NS < stop_ns - start_ns or last == first:
            return None
        return sum(self._near[first:last]) / (last - first)

    def forget_before(self, stamp_ns: int) -> None:
        """Times before ``stamp_ns`` will not be asked for again."""
        first = bisect_left(self._stamps_ns, stamp_ns)
        if first > 1000:  # so that moving stays rare
            del self._stamps_ns[:first]
            del self._near[:first]
