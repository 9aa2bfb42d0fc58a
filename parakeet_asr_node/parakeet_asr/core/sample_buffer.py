"""The tail of a stream of samples, addressed by absolute position."""

from __future__ import annotations

import numpy as np

from parakeet_asr.records import FloatArray


class SampleBuffer:
    """Appends at the end, forgets at the beginning; views are valid until the next append."""

    def __init__(self, capacity_samples: int) -> None:
        """Start with room for ``capacity_samples``; more is made when it is needed."""
        self._data = np.empty(capacity_samples, np.float32)
        self._first = 0  # absolute position of _data[0]
        self._keep = 0  # absolute position before which nothing will be asked for
        self.end = 0  # absolute position behind the last sample

    def append(self, samples: FloatArray) -> None:
        """Add samples at the end."""
        used = self.end - self._first
        if used + len(samples) > len(self._data):
            kept = self._data[self._keep - self._first : used]
            room = len(self._data)
            while len(kept) + len(samples) > room // 2:  # so that moving stays rare
                room *= 2
            target = self._data if room == len(self._data) else np.empty(room, np.float32)
            target[: len(kept)] = kept
            self._data, self._first, used = target, self._keep, len(kept)
        self._data[used : used + len(samples)] = samples
        self.end += len(samples)

    def view(self, start: int, stop: int) -> FloatArray:
        """Samples [start, stop), which must not have been forgotten."""
        return self._data[start - self._first : stop - self._first]

    def forget_before(self, position: int) -> None:
        """Samples before ``position`` will not be asked for again."""
        self._keep = min(max(self._keep, position), self.end)
