"""Tells compressed sound, and files with a header, from raw PCM: a wrong guess would be heard as noise."""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np

from parakeet_asr.sources.pcm import PcmFormat

_MP3_BITRATES_KBIT = {  # by version (1: MPEG 1, 2: MPEG 2 and 2.5) and layer (2, 3)
    (1, 2): (0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (1, 3): (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (2, 2): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (2, 3): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_MP3_RATES_HZ = {3: (44_100, 48_000, 32_000), 2: (22_050, 24_000, 16_000), 0: (11_025, 12_000, 8_000)}
_CHAIN = 3  # headers, each where the one before says: 1e-11 of random chunks have that by accident

_WAVE_PCM, _WAVE_FLOAT, _WAVE_EXTENSIBLE = 1, 3, 0xFFFE
_WAVE_ENCODINGS = {
    (_WAVE_PCM, 8): "U8",
    (_WAVE_PCM, 16): "S16LE",
    (_WAVE_PCM, 32): "S32LE",
    (_WAVE_FLOAT, 32): "F32LE",
}


@dataclass(frozen=True, slots=True)
class WaveHeader:
    """The head of a wav file."""

    format: PcmFormat
    size_bytes: int  # where the PCM begins


class CompressedSoundDetector:
    """Looks at the chunks of one stream, one after another."""

    def __init__(self) -> None:
        """Nothing was seen yet."""
        self._single_frames = 0  # chunks in a row that look like exactly one mp3 frame

    def find(self, data: bytes) -> str | None:
        """Name the compression of a chunk, or None for what may be PCM.

        A container's magic is believed at once, and so are mp3 frames in a chain. One mp3 frame that
        fills its chunk may still be an accident of PCM: it is believed when the next chunk is one, too.
        """
        if name := _magic(data):
            return name
        chained, fills = _mp3_chain(data)
        self._single_frames = self._single_frames + 1 if chained == 1 and fills else 0
        if self._single_frames > 1 or (fills and chained > 1) or _has_mp3_chain(data):
            return "mp3"
        return None


def wave_header(data: bytes) -> WaveHeader | None:
    """Read the head of a wav file; None when the data do not begin with a whole one."""
    if data[:4] != b"RIFF" or data[8:12] != b"WAVE":
        return None
    position = 12
    form: PcmFormat | None = None
    while position + 8 <= len(data):
        name, size = data[position : position + 4], struct.unpack_from("<I", data, position + 4)[0]
        position += 8
        if name == b"fmt " and size >= 16 and position + size <= len(data):
            code, channels, rate_hz, _, _, bits = struct.unpack_from("<HHIIHH", data, position)
            if code == _WAVE_EXTENSIBLE and size >= 26:
                code = struct.unpack_from("<H", data, position + 24)[0]
            encoding = _WAVE_ENCODINGS.get((code, bits), f"wav format {code} with {bits} bits")
            form = PcmFormat(encoding, channels, rate_hz)
        if name == b"data":
            return WaveHeader(form, position) if form is not None else None
        position += size + size % 2
    return None


def _magic(data: bytes) -> str | None:
    if data[:4] == b"OggS":
        return "ogg"
    if data[:4] == b"fLaC":
        return "flac"
    if data[4:8] == b"ftyp":
        return "mp4"
    if data[:3] == b"ID3" and len(data) >= 10 and data[3] <= 4 and max(data[6:10]) < 0x80:
        return "mp3"
    return None


def _mp3_frame_bytes(data: bytes, start: int) -> int:
    """Length of the MPEG audio frame whose header is at ``start``, or 0 (ISO/IEC 11172-3, 2.4.1)."""
    if start + 4 > len(data) or data[start] != 0xFF or data[start + 1] & 0xE0 != 0xE0:
        return 0
    version, layer = data[start + 1] >> 3 & 3, 4 - (data[start + 1] >> 1 & 3)
    bitrate, rate = data[start + 2] >> 4, data[start + 2] >> 2 & 3
    if version == 1 or layer not in (2, 3) or bitrate in (0, 15) or rate == 3:
        return 0
    family = 1 if version == 3 else 2
    kbit = _MP3_BITRATES_KBIT[family, layer][bitrate]
    samples = 576 if (family, layer) == (2, 3) else 1152
    return samples // 8 * kbit * 1000 // _MP3_RATES_HZ[version][rate] + (data[start + 2] >> 1 & 1)


def _mp3_chain(data: bytes, start: int = 0, longest: int = 1_000) -> tuple[int, bool]:
    """How many frames follow each other from ``start``, and whether they fill the data to the end."""
    first, count = start, 0
    while count < longest and (size := _mp3_frame_bytes(data, start)):
        if not _same_stream(data, first, start):
            break
        count, start = count + 1, start + size
    return count, start == len(data)


def _same_stream(data: bytes, first: int, other: int) -> bool:
    """Version, layer and sample rate stay; the rest of a header may change."""
    return (
        data[first + 1] & 0xFE == data[other + 1] & 0xFE and data[first + 2] & 0x0C == data[other + 2] & 0x0C
    )


def _has_mp3_chain(data: bytes) -> bool:
    """Whether frames follow each other anywhere: a file that was cut into equal pieces."""
    values = np.frombuffer(data, np.uint8)
    second, third = values[1:-2], values[2:-1]
    starts = np.flatnonzero(
        (values[:-3] == 0xFF)
        & (second & 0xE0 == 0xE0)
        & (second & 0x18 != 0x08)
        & ((second & 0x06 == 0x02) | (second & 0x06 == 0x04))
        & (third & 0xF0 != 0xF0)
        & (third & 0xF0 != 0)
        & (third & 0x0C != 0x0C)
    )
    return any(_mp3_chain(data, int(start), _CHAIN)[0] >= _CHAIN for start in starts)
