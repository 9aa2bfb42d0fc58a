"""Messages of every type to mono sound at the publisher's rate; no message package is imported here."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Protocol

from parakeet_asr.errors import AudioFormatError
from parakeet_asr.records import FloatArray
from parakeet_asr.ros.messages import stamp_ns
from parakeet_asr.sources.pcm import PcmFormat, decode_pcm
from parakeet_asr.sources.pcm_stream import PcmStream, compressed_sound

RAW = ("", "wave", "raw", "pcm")  # AudioInfo.coding_format of what is not compressed, in lower case
_USUAL = PcmFormat("S16LE", 1, 16_000)


@dataclass(frozen=True, slots=True)
class Declared:
    """What the parameters say of sound that does not describe itself; 0 and "auto": nothing."""

    encoding: str = "auto"
    channels: int = 0
    sample_rate_hz: int = 0
    channel: int = -1  # the one to take of any sound; -1: the mean

    def complete(self, otherwise: PcmFormat) -> PcmFormat:
        """Take what is not declared from another description."""
        return PcmFormat(
            otherwise.encoding if self.encoding == "auto" else self.encoding,
            self.channels or otherwise.channels,
            self.sample_rate_hz or otherwise.rate_hz,
        )


@dataclass(frozen=True, slots=True)
class Sound:
    """What one message holds."""

    samples: FloatArray  # [n] mono
    rate_hz: int
    stamp_ns: int = 0  # capture time of the first sample; 0: the publisher sets none
    frame_id: str = ""
    gap: bool = False  # messages are missing before this one


class AudioReader(Protocol):
    """Reads the messages of one publisher in their order."""

    lost: int  # messages that are missing, as far as their numbers tell

    def read(self, message: Any) -> Sound:
        """Convert the next message.

        Raises:
            AudioFormatError: it cannot be understood; the next one can be given all the same.
        """
        ...


class ChunkReader:
    """``parakeet_asr_msgs/AudioChunk``: describes itself and numbers its messages."""

    def __init__(self, declared: Declared) -> None:
        self._pcm = PcmStream(declared.channel)
        self._expected = 0  # sequence of the next message; 0: not known
        self.lost = 0

    def read(self, message: Any) -> Sound:
        """Convert the next message."""
        form = PcmFormat(message.encoding, message.channels, message.sample_rate)
        samples = self._pcm.decode(bytes(message.data), form)
        gap = self._follow(message.sequence)
        header = message.header
        return Sound(samples, form.rate_hz, stamp_ns(header.stamp), header.frame_id, gap)

    def _follow(self, sequence: int) -> bool:
        gap = bool(sequence and self._expected and sequence != self._expected)
        if gap:
            self.lost += max(0, sequence - self._expected)
        self._expected = sequence + 1 if sequence else 0
        return gap


class DataReader:
    """``AudioData`` and ``AudioDataStamped`` of ros-drivers: bytes, described by AudioInfo or by parameters.

    What is declared by parameters wins over AudioInfo: many publishers have a wrong one or none.
    """

    def __init__(self, declared: Declared) -> None:
        self._declared = declared
        self._pcm = PcmStream(declared.channel)
        self._info: Any = None
        self.lost = 0

    def describe(self, info: Any) -> None:
        """Take the publisher's AudioInfo; None forgets it."""
        self._info = info

    def read(self, message: Any) -> Sound:
        """Convert the next message."""
        form = self._format()
        if not hasattr(message, "header"):
            return Sound(self._pcm.decode(bytes(message.data), form), form.rate_hz)
        samples = self._pcm.decode(bytes(message.audio.data), form)
        return Sound(samples, form.rate_hz, stamp_ns(message.header.stamp), message.header.frame_id)

    def _format(self) -> PcmFormat:
        if self._info is None:
            return self._declared.complete(_USUAL)
        if self._info.coding_format.lower() not in RAW:
            raise compressed_sound(f"{self._info.coding_format} (says audio_info)")
        said = PcmFormat(
            self._info.sample_format or _USUAL.encoding,
            self._info.channels or _USUAL.channels,
            self._info.sample_rate or _USUAL.rate_hz,
        )
        return self._declared.complete(said)


class StampedReader:
    """``AudioStamped`` of mgonzs13: one of five arrays, named by a PortAudio sample format."""

    _ARRAYS = {  # noqa: RUF012  PortAudio's paFloat32, paInt32, paInt16, paInt8, paUInt8
        1: ("float32_data", "F32LE"),
        2: ("int32_data", "S32LE"),
        8: ("int16_data", "S16LE"),
        16: ("int8_data", "S8"),
        32: ("uint8_data", "U8"),
    }

    def __init__(self, declared: Declared) -> None:
        self._channel = declared.channel
        self.lost = 0

    def read(self, message: Any) -> Sound:
        """Convert the next message."""
        info, data = message.audio.info, message.audio.audio_data
        if info.format not in self._ARRAYS:
            formats = ", ".join(f"{number} ({name})" for number, (name, _) in self._ARRAYS.items())
            raise AudioFormatError(
                f"info.format: expected {formats}, got {info.format}; choose another format in the publisher"
            )
        name, encoding = self._ARRAYS[info.format]
        filled = [field for field, _ in self._ARRAYS.values() if len(getattr(data, field))]
        if filled and name not in filled:
            raise AudioFormatError(
                f"info.format {info.format} stands for {name}, but the samples are in {', '.join(filled)}; "
                "correct the publisher"
            )
        values = getattr(data, name)
        samples = decode_pcm(_as_bytes(values), encoding, info.channels, self._channel)
        return Sound(samples, info.rate, stamp_ns(message.header.stamp), message.header.frame_id)


class ArrayReader:
    """``std_msgs/Int16MultiArray``: 16 bit samples; a second dimension of the layout is the channels."""

    def __init__(self, declared: Declared) -> None:
        self._declared = replace(declared, encoding="S16LE")
        self.lost = 0

    def read(self, message: Any) -> Sound:
        """Convert the next message."""
        dimensions = message.layout.dim
        said = replace(_USUAL, channels=dimensions[-1].size) if len(dimensions) > 1 else _USUAL
        form = self._declared.complete(said)
        values = message.data[message.layout.data_offset :]
        samples = decode_pcm(_as_bytes(values), form.encoding, form.channels, self._declared.channel)
        return Sound(samples, form.rate_hz)


def _as_bytes(values: Any) -> bytes:
    """A sequence field of a message: an array, or bytes where the element is one byte."""
    return bytes(memoryview(values).cast("B")) if len(values) else b""
