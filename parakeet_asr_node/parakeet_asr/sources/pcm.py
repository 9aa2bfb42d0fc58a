"""Raw PCM to mono samples."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parakeet_asr.core.sound import downmix, silence_nonsense
from parakeet_asr.errors import AudioFormatError
from parakeet_asr.records import FloatArray

_Decoder = Callable[[NDArray[Any]], FloatArray]

# Encoding -> type of one sample, and how it becomes -1..1. Integers are divided by their full scale,
# so that the most negative one is exactly -1.
_ENCODINGS: dict[str, tuple[np.dtype[Any], _Decoder]] = {
    "S16LE": (np.dtype("<i2"), lambda x: x.astype(np.float32) / np.float32(1 << 15)),
    "S32LE": (np.dtype("<i4"), lambda x: x.astype(np.float32) / np.float32(1 << 31)),
    "F32LE": (np.dtype("<f4"), lambda x: x.astype(np.float32)),
    "U8": (np.dtype("u1"), lambda x: (x.astype(np.float32) - 128) / np.float32(1 << 7)),
    "S8": (np.dtype("i1"), lambda x: x.astype(np.float32) / np.float32(1 << 7)),
}
ENCODINGS = tuple(_ENCODINGS)
ALL_CHANNELS = -1
"""As the chosen channel: the mean of all."""


@dataclass(frozen=True, slots=True)
class PcmFormat:
    """How bytes become sound."""

    encoding: str  # one of ENCODINGS
    channels: int
    rate_hz: int

    def __str__(self) -> str:
        """For people."""
        return f"{self.encoding}, {self.channels} channels, {self.rate_hz} Hz"


def decode_pcm(
    data: bytes | bytearray | memoryview, encoding: str, channels: int, channel: int = ALL_CHANNELS
) -> FloatArray:
    """Decode interleaved PCM to mono.

    Args:
        data: whole sample groups: samples x channels x bytes of one sample. Is copied.
        encoding: one of :data:`ENCODINGS`.
        channels: 1 or more.
        channel: the one to take, from 0; :data:`ALL_CHANNELS` for their mean.

    Returns:
        [n] float32, full scale is -1..1; NaN and infinities become 0.

    Raises:
        AudioFormatError: the encoding is not known, there is no such channel, or the data are not whole
            sample groups.
    """
    if encoding not in _ENCODINGS:
        raise AudioFormatError(
            f"encoding: expected one of {', '.join(ENCODINGS)}, got {encoding!r}; convert it in the publisher"
        )
    if channels < 1:
        raise AudioFormatError(f"channels: expected 1 or more, got {channels}")
    if channel >= channels:
        raise AudioFormatError(
            f"channel {channel} is wanted, but the sound has {channels} (counted from 0); "
            f"choose another one, or {ALL_CHANNELS} for their mean"
        )
    dtype, decode = _ENCODINGS[encoding]
    size = memoryview(data).nbytes
    if size % (dtype.itemsize * channels):
        raise AudioFormatError(
            f"data: expected a multiple of {dtype.itemsize * channels} bytes "
            f"({encoding}, {channels} channels), got {size}; encoding or channels do not fit the data"
        )
    groups = np.frombuffer(data, dtype).reshape(-1, channels)
    if channel >= 0:
        groups = groups[:, channel : channel + 1]
    samples, _ = silence_nonsense(decode(groups))
    return downmix(samples)
