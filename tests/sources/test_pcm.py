"""PCM bytes to samples."""

from __future__ import annotations

import numpy as np
import pytest

from parakeet_asr.errors import AudioFormatError
from parakeet_asr.sources.pcm import ENCODINGS, decode_pcm


@pytest.mark.parametrize(
    ("encoding", "values", "dtype"),
    [
        ("S16LE", [-32768, 0, 16384], "<i2"),
        ("S32LE", [-(2**31), 0, 2**30], "<i4"),
        ("F32LE", [-1.0, 0.0, 0.5], "<f4"),
        ("U8", [0, 128, 192], "u1"),
        ("S8", [-128, 0, 64], "i1"),
    ],
)
def test_full_scale_is_one(encoding: str, values: list[float], dtype: str) -> None:
    samples = decode_pcm(np.array(values, dtype).tobytes(), encoding, 1)
    assert samples.dtype == np.float32
    np.testing.assert_array_equal(samples, [-1.0, 0.0, 0.5])


def test_channels_are_averaged() -> None:
    data = np.array([[16384, 0], [0, -16384], [8192, 8192]], "<i2").tobytes()
    np.testing.assert_array_equal(decode_pcm(data, "S16LE", 2), [0.25, -0.25, 0.25])


@pytest.mark.parametrize(("channel", "expected"), [(0, [0.5, 0.0]), (1, [0.0, -0.5])])
def test_one_channel_can_be_taken(channel: int, expected: list[float]) -> None:
    data = np.array([[16384, 0], [0, -16384]], "<i2").tobytes()
    np.testing.assert_array_equal(decode_pcm(data, "S16LE", 2, channel), expected)


def test_a_channel_that_is_not_there_is_named() -> None:
    with pytest.raises(AudioFormatError, match="channel 2 is wanted, but the sound has 2"):
        decode_pcm(bytes(8), "S16LE", 2, 2)


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("channels", [1, 2])
def test_no_bytes_are_no_samples(encoding: str, channels: int) -> None:
    assert decode_pcm(b"", encoding, channels).shape == (0,)


def test_what_is_no_number_becomes_silence() -> None:
    data = np.array([np.nan, 0.5, np.inf, -np.inf], "<f4").tobytes()
    np.testing.assert_array_equal(decode_pcm(data, "F32LE", 1), [0.0, 0.5, 0.0, 0.0])


def test_the_samples_do_not_share_the_message() -> None:
    data = bytearray(np.array([0.5], "<f4").tobytes())
    samples = decode_pcm(data, "F32LE", 1)
    data[:] = b"\0\0\0\0"
    assert samples[0] == 0.5


@pytest.mark.parametrize(
    ("data", "encoding", "channels", "message"),
    [
        (b"123", "S16LE", 1, "multiple of 2 bytes"),
        (b"123456", "S16LE", 2, "multiple of 4 bytes"),
        (b"1234", "S24LE", 1, "S24LE"),
        (b"1234", "S16LE", 0, "channels"),
    ],
)
def test_what_does_not_fit_is_refused(data: bytes, encoding: str, channels: int, message: str) -> None:
    with pytest.raises(AudioFormatError, match=message):
        decode_pcm(data, encoding, channels)
