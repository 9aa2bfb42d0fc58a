"""Capture times for sound that comes without."""

from __future__ import annotations

NANOSECONDS = 1_000_000_000
PAUSE_NS = 1 * NANOSECONDS


class CountedStamps:
    """Stamps from sample counts, for publishers that set none.

    The first sample is taken to be captured its chunk's length before it arrived; from there on samples
    are counted, so that the jitter of arrival moves no word. Counting is begun anew, and said to be a
    gap, when no chunk came for a second, when the count lags a second behind the clock (samples were
    lost or not recorded), or when the clock was set back. A count that runs ahead is left alone: a
    recording may be played faster than it was made.
    """

    def __init__(self) -> None:
        """Nothing came yet."""
        self._next_ns: int | None = None
        self._last_arrival_ns = 0

    def stamp(self, given_ns: int, duration_ns: int, arrived_ns: int) -> tuple[int, bool]:
        """Stamp the next chunk.

        Args:
            given_ns: the publisher's stamp, 0 when it sets none.
            duration_ns: length of the chunk.
            arrived_ns: when it came, on the clock of the stamps.

        Returns:
            The capture time of its first sample, and whether counting was begun anew.
        """
        arrival_ns = max(0, arrived_ns - duration_ns)  # when it would have begun if nothing took time
        start_ns, gap = given_ns, False
        if not given_ns:
            start_ns = arrival_ns if self._next_ns is None else self._next_ns
            gap = self._next_ns is not None and (
                arrival_ns - self._last_arrival_ns > PAUSE_NS
                or arrival_ns - start_ns > PAUSE_NS
                or self._last_arrival_ns - arrived_ns > PAUSE_NS
            )
            if gap:
                start_ns = arrival_ns
        self._next_ns = start_ns + duration_ns
        self._last_arrival_ns = arrived_ns
        return start_ns, gap
