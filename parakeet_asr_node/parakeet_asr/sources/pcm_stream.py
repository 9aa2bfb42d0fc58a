"""Bytes that a publisher calls PCM: checked to be that, chunk by chunk."""

from __future__ import annotations

from parakeet_asr.errors import AudioFormatError
from parakeet_asr.records import FloatArray
from parakeet_asr.sources.compressed import CompressedSoundDetector, wave_header
from parakeet_asr.sources.pcm import ALL_CHANNELS, PcmFormat, decode_pcm


class PcmStream:
    """Decodes the chunks of one stream.

    A wav header before the first samples is skipped when it agrees with the format. Compressed bytes are
    refused; raw ones are taken again when they come.
    """

    def __init__(self, channel: int = ALL_CHANNELS) -> None:
        """Take ``channel``, see :func:`parakeet_asr.sources.pcm.decode_pcm`."""
        self._channel = channel
        self._detector = CompressedSoundDetector()

    def decode(self, data: bytes, form: PcmFormat) -> FloatArray:
        """Decode the next chunk to [n] float32 mono, -1..1, at the rate of ``form``.

        Raises:
            AudioFormatError: the bytes are compressed, or do not fit the format.
        """
        if compression := self._detector.find(data):
            raise compressed_sound(compression)
        start = _after_wave_header(data, form) if data.startswith(b"RIFF") else 0
        return decode_pcm(memoryview(data)[start:], form.encoding, form.channels, self._channel)


def compressed_sound(compression: str) -> AudioFormatError:
    """Say that sound came compressed, and what to do."""
    return AudioFormatError(
        f"data: expected raw PCM, found {compression}; let the publisher send raw sound "
        "(audio_capture of ros-drivers: format:=wave)"
    )


def _after_wave_header(data: bytes, form: PcmFormat) -> int:
    header = wave_header(data)
    if header is None:
        if data[8:12] == b"WAVE":
            raise AudioFormatError("data: found a wav header that is cut off; send it whole, or raw PCM only")
        return 0
    if header.format != form:
        raise AudioFormatError(
            f"data: expected {form}, but the wav header before it says {header.format}; "
            "set audio.encoding, audio.channels and audio.sample_rate to that"
        )
    return header.size_bytes
