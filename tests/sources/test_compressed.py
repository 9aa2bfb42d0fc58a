"""Compressed sound, wav headers and PCM that looks like one of them by accident."""

from __future__ import annotations

import io

import numpy as np
import pytest
import soundfile

from parakeet_asr.errors import AudioFormatError
from parakeet_asr.sources.compressed import CompressedSoundDetector, wave_header
from parakeet_asr.sources.pcm import PcmFormat
from parakeet_asr.sources.pcm_stream import PcmStream

NOISE = np.random.default_rng(5)
USUAL = PcmFormat("S16LE", 1, 16_000)


def encoded(container: str, rate_hz: int = 16_000, subtype: str | None = None) -> bytes:
    """A second of a tone in noise."""
    file = io.BytesIO()
    seconds = np.arange(rate_hz) / rate_hz
    sound = 0.3 * np.sin(2 * np.pi * 440 * seconds) + 0.01 * NOISE.standard_normal(rate_hz)
    soundfile.write(file, sound, rate_hz, format=container, subtype=subtype)
    return file.getvalue()


def pieces(data: bytes, size: int) -> list[bytes]:
    return [data[start : start + size] for start in range(0, len(data), size)]


@pytest.mark.parametrize(("container", "name"), [("OGG", "ogg"), ("FLAC", "flac")])
def test_a_container_is_known_by_its_magic(container: str, name: str) -> None:
    assert CompressedSoundDetector().find(encoded(container)[:400]) == name


@pytest.mark.parametrize(
    ("data", "name"),
    [(b"ID3\x04\0\0\0\0\x02\x01" + bytes(90), "mp3"), (b"\0\0\0\x20ftypM4A " + bytes(90), "mp4")],
)
def test_tags_and_mp4_are_known(data: bytes, name: str) -> None:
    assert CompressedSoundDetector().find(data) == name


@pytest.mark.parametrize("rate_hz", [8_000, 16_000, 22_050, 44_100, 48_000])
@pytest.mark.parametrize("size", [700, 1_024, 4_096])
def test_mp3_is_known_however_it_is_cut(rate_hz: int, size: int) -> None:
    """Once a piece holds a few frames; a piece of less than three may pass."""
    detector = CompressedSoundDetector()
    found = [detector.find(piece) for piece in pieces(encoded("MP3", rate_hz), size)]
    assert "mp3" in found[:3]
    assert set(found) <= {"mp3", None}


def test_one_frame_per_message_is_known_at_the_second(frame: bytes) -> None:
    detector = CompressedSoundDetector()
    assert [detector.find(frame) for _ in range(3)] == [None, "mp3", "mp3"]
    assert detector.find(bytes(320)) is None
    assert detector.find(frame) is None  # PCM came between: it may be an accident again
    assert CompressedSoundDetector().find(2 * frame) == "mp3"


@pytest.fixture
def frame() -> bytes:
    """MPEG 1 layer 3, 128 kbit/s, 44.1 kHz: 417 bytes."""
    return b"\xff\xfb\x90\x64" + NOISE.integers(0, 255, 413, np.uint8).tobytes()


@pytest.mark.parametrize("scale", [1, 10, 300, 8_000, 32_000])
def test_pcm_is_never_taken_for_compressed(scale: int) -> None:
    """Two minutes of each loudness, with the chunk length of 30 ms that is also one of an mp3 frame."""
    detector = CompressedSoundDetector()
    for _ in range(12):
        sound = np.clip(NOISE.normal(0, scale, 160_000), -32_768, 32_767).astype("<i2").tobytes()
        assert not any(detector.find(piece) for piece in pieces(sound, 960))


@pytest.mark.parametrize("value", [-1, -1025, -3073, -257, 0, 255])
def test_constant_pcm_is_no_mp3(value: int) -> None:
    assert CompressedSoundDetector().find(np.full(480, value, "<i2").tobytes()) is None


@pytest.mark.parametrize("size", range(5))
def test_short_data_are_no_problem(size: int) -> None:
    assert CompressedSoundDetector().find(b"\xff" * size) is None


@pytest.mark.parametrize(
    ("subtype", "encoding"),
    [("PCM_16", "S16LE"), ("PCM_32", "S32LE"), ("FLOAT", "F32LE"), ("PCM_U8", "U8")],
)
@pytest.mark.parametrize("container", ["WAV", "WAVEX"])
def test_wav_headers_are_read(container: str, subtype: str, encoding: str) -> None:
    data = encoded(container, 22_050, subtype)
    header = wave_header(data)
    assert header is not None
    assert header.format == PcmFormat(encoding, 1, 22_050)
    itemsize = {"S16LE": 2, "U8": 1}.get(encoding, 4)
    assert len(data) - header.size_bytes in range(22_050 * itemsize, 22_050 * itemsize + 100)


def test_a_wav_header_that_agrees_is_skipped() -> None:
    data = encoded("WAV")
    samples = PcmStream().decode(data, USUAL)
    assert len(samples) == 16_000
    np.testing.assert_array_equal(samples, PcmStream().decode(data[44:], USUAL))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (encoded("WAV", 8_000), "S16LE, 1 channels, 8000 Hz"),
        (encoded("WAV", subtype="PCM_24"), "wav format 1 with 24 bits"),
        (encoded("WAV")[:30], "cut off"),
        (encoded("OGG"), "format:=wave"),
    ],
)
def test_what_does_not_agree_is_refused_with_the_remedy(data: bytes, message: str) -> None:
    with pytest.raises(AudioFormatError, match=message):
        PcmStream().decode(data, USUAL)


def test_raw_sound_that_begins_like_a_riff_is_sound() -> None:
    assert len(PcmStream().decode(b"RIFF" + bytes(96), USUAL)) == 50
