"""Sizes of batches that come again, for engines that prepare something anew for every size they meet."""

from __future__ import annotations

BUCKET_FRAMES = 128
"""1.28 s."""


def recurring(rows: int, length: int, bucket: int) -> tuple[int, int]:
    """The next power of two of ``rows`` (at least 1), and ``length`` up to a whole number of buckets."""
    return 1 << (rows - 1).bit_length(), -(-length // bucket) * bucket
