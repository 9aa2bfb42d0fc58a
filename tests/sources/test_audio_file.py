"""Audio files: formats, rates, channels, and files that are no good."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile

from parakeet_asr.errors import AudioReadError
from parakeet_asr.sources.audio_file import open_audio, read_audio

RATE_HZ = 16_000
needs_ffmpeg = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed")


def tone(seconds: float = 1.0, rate_hz: int = RATE_HZ, hz: float = 440.0) -> np.ndarray:
    return (0.5 * np.sin(2 * np.pi * hz * np.arange(round(seconds * rate_hz)) / rate_hz)).astype(np.float32)


def write(path: Path, sound: np.ndarray, rate_hz: int = RATE_HZ, subtype: str | None = None) -> Path:
    soundfile.write(path, sound, rate_hz, subtype=subtype)
    return path


def truncate(path: Path, part: float = 0.5) -> Path:
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * part)])
    return path


@pytest.mark.parametrize(
    ("name", "subtype", "tolerance"),
    [
        ("a.wav", "PCM_U8", 1e-2),
        ("a.wav", "PCM_16", 1e-4),
        ("a.wav", "PCM_24", 1e-6),
        ("a.wav", "PCM_32", 1e-6),
        ("a.wav", "FLOAT", 0.0),
        ("a.wav", "DOUBLE", 0.0),
        ("a.flac", "PCM_16", 1e-4),
        ("a.flac", "PCM_24", 1e-6),
        ("a.ogg", "VORBIS", 5e-2),
        ("a.ogg", "OPUS", 5e-2),
        ("a.mp3", "MPEG_LAYER_III", 5e-2),
    ],
)
def test_formats(tmp_path: Path, name: str, subtype: str, tolerance: float) -> None:
    path = write(tmp_path / name, tone(), subtype=subtype)
    with open_audio(path) as stream:
        assert stream.duration_s == pytest.approx(1.0)
        sound = np.concatenate(list(stream.blocks()))
        assert stream.warning is None
    assert sound.dtype == np.float32
    assert len(sound) == RATE_HZ
    np.testing.assert_allclose(sound[800:-800], tone()[800:-800], rtol=0, atol=tolerance)


def test_telephone_stereo_in_24_bit(tmp_path: Path) -> None:
    left, right = tone(2.0, 8000), tone(2.0, 8000, 1000.0)
    path = write(tmp_path / "a.wav", np.stack([left, right], axis=1), 8000, "PCM_24")
    with open_audio(path) as stream:
        assert (stream.rate_hz, stream.channels, stream.duration_s) == (8000, 2, 2.0)
    sound = read_audio(path)
    assert len(sound) == 2 * RATE_HZ
    expected = (tone(2.0) + tone(2.0, hz=1000.0)) / 2
    np.testing.assert_allclose(sound[800:-800], expected[800:-800], rtol=0, atol=2e-3)


@pytest.mark.parametrize("rate_hz", [8000, 16_000, 44_100, 48_000])
def test_blocks_are_the_whole(tmp_path: Path, rate_hz: int) -> None:
    noise = np.random.default_rng(1).uniform(-0.5, 0.5, (rate_hz * 3 + 17, 2)).astype(np.float32)
    path = write(tmp_path / "a.wav", noise, rate_hz, "FLOAT")
    whole = read_audio(path)
    for block_s in (0.01, 0.37, 100.0):
        with open_audio(path) as stream:
            found = np.concatenate(list(stream.blocks(block_s)))
        np.testing.assert_allclose(found, whole, rtol=0, atol=1e-6)


def test_blocks_are_small(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", tone(20.0, 44_100), 44_100)
    with open_audio(path) as stream:
        sizes = [len(block) for block in stream.blocks(1.0)]
    assert sum(sizes) == 20 * RATE_HZ
    assert max(sizes) < 2 * RATE_HZ


def test_a_recording_without_samples_is_empty(tmp_path: Path) -> None:
    assert read_audio(write(tmp_path / "a.wav", np.zeros(0, np.float32))).shape == (0,)


def test_what_is_no_number_becomes_silence(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    sound = tone()
    sound[[100, 200, 300]] = np.nan, np.inf, -np.inf
    with open_audio(write(tmp_path / "a.wav", sound, subtype="FLOAT")) as stream:
        found = np.concatenate(list(stream.blocks()))
        assert stream.warning is not None
        assert "3 samples" in stream.warning
    assert not found[[100, 200, 300]].any()
    assert np.isfinite(found).all()
    assert "a.wav" in caplog.text


@pytest.mark.parametrize(
    ("name", "subtype"), [("a.wav", "PCM_16"), ("a.flac", "PCM_16"), ("a.ogg", "VORBIS"), ("a.mp3", None)]
)
def test_a_truncated_file_gives_what_is_there_and_says_so(
    tmp_path: Path, name: str, subtype: str | None
) -> None:
    noise = np.random.default_rng(1).uniform(-0.5, 0.5, 5 * RATE_HZ).astype(np.float32)
    path = truncate(write(tmp_path / name, noise, subtype=subtype))
    with open_audio(path) as stream:
        sound = np.concatenate(list(stream.blocks()))
        assert stream.warning is not None
    assert 1.5 * RATE_HZ < len(sound) < 3.5 * RATE_HZ


def test_damage_on_the_way_keeps_what_came_before(tmp_path: Path) -> None:
    noise = np.random.default_rng(1).uniform(-0.5, 0.5, 5 * RATE_HZ).astype(np.float32)
    path = write(tmp_path / "a.flac", noise)
    data = bytearray(path.read_bytes())
    data[len(data) // 2 :] = bytes(len(data) - len(data) // 2)
    path.write_bytes(data)
    with open_audio(path) as stream:
        sound = np.concatenate(list(stream.blocks()))
        assert stream.warning is not None
        assert "damaged" in stream.warning
    assert len(sound) > 2 * RATE_HZ
    np.testing.assert_allclose(sound, noise[: len(sound)], rtol=0, atol=1e-4)


def bad_files(folder: Path) -> dict[str, Path]:
    garbage = np.random.default_rng(0).integers(0, 256, 20_000, np.uint8).tobytes()
    contents = {
        "empty.wav": b"",
        "garbage.wav": garbage,
        "garbage.flac": b"fLaC" + garbage,
        "header.wav": b"RIFF\x24\x00\x00\x00WAVEfmt ",
        "text.txt": b"#EXTM3U\nhttp://127.0.0.1:9/a.mp3\n",
        "noise.raw": garbage,
    }
    paths = {"missing": folder / "missing.wav", "directory": folder}
    for name, content in contents.items():
        paths[name] = folder / name
        paths[name].write_bytes(content)
    return paths


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("missing", "No such file"),
        ("directory", "directory"),
        ("empty.wav", "0 bytes"),
        ("garbage.wav", "expected"),
        ("garbage.flac", "expected"),
        ("header.wav", "expected"),
        ("text.txt", "expected"),
        ("noise.raw", "expected"),
    ],
)
@pytest.mark.parametrize("with_ffmpeg", [pytest.param(True, marks=needs_ffmpeg), False])
def test_what_is_no_audio_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, message: str, with_ffmpeg: bool
) -> None:
    if not with_ffmpeg:
        monkeypatch.setenv("PATH", str(tmp_path))
    path = bad_files(tmp_path)[name]
    with pytest.raises(AudioReadError, match=message) as caught:
        read_audio(path)
    assert str(path) in str(caught.value)


def test_without_ffmpeg_the_message_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    path = tmp_path / "a.m4a"
    path.write_bytes(b"\0\0\0\x20ftypM4A " + bytes(100))
    with pytest.raises(AudioReadError, match="install ffmpeg"):
        read_audio(path)


@needs_ffmpeg
def test_the_rest_goes_through_ffmpeg(tmp_path: Path) -> None:
    source = write(tmp_path / "a.wav", np.stack([tone(3.0, 44_100)] * 2, axis=1), 44_100)
    path = tmp_path / "a file.m4a"
    subprocess.run(["ffmpeg", "-v", "error", "-i", source, "-c:a", "aac", path], check=True)
    with open_audio(path) as stream:
        assert (stream.rate_hz, stream.channels) == (44_100, 2)
        if shutil.which("ffprobe"):
            assert stream.duration_s == pytest.approx(3.0, abs=0.1)
        sound = np.concatenate(list(stream.blocks()))
        assert stream.warning is None
    assert len(sound) == pytest.approx(3 * RATE_HZ, abs=2000)
    np.testing.assert_allclose(sound[1000:40_000], tone(3.0)[1000:40_000], rtol=0, atol=5e-2)


@needs_ffmpeg
def test_ffmpeg_ends_when_nobody_reads_on(tmp_path: Path) -> None:
    source = write(tmp_path / "a.wav", tone(120.0))
    path = tmp_path / "a.mka"
    subprocess.run(["ffmpeg", "-v", "error", "-i", source, "-c:a", "aac", path], check=True)
    stream = open_audio(path)
    next(stream.blocks())
    process = stream._decoder._process  # type: ignore[attr-defined]
    stream.close()
    assert process.poll() is not None
