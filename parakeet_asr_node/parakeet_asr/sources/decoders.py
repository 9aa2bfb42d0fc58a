"""Audio files to samples at their own rate and channel count: libsndfile, and ffmpeg for the rest."""

from __future__ import annotations

import shutil
import struct
import subprocess
import tempfile
from pathlib import Path
from typing import Protocol

import numpy as np
import soundfile

from parakeet_asr.errors import AudioReadError
from parakeet_asr.records import FloatArray

FORMATS = "wav, flac, ogg, opus, mp3, aiff, au or caf"
"""What needs no ffmpeg."""

_AU_HEADER = struct.Struct(">4s5I")  # magic, data offset, data size, encoding, rate, channels
_AU_FLOAT32 = 6


class Decoder(Protocol):
    """An open file."""

    rate_hz: int
    channels: int
    duration_s: float | None  # as the file says; None when it does not
    warning: str | None  # what was wrong with what has been read so far

    def read(self, steps: int) -> FloatArray:
        """Give the next [n, channels] samples; n < steps only at the end, 0 after it."""
        ...

    def close(self) -> None:
        """Give the file back."""
        ...


class SndfileDecoder:
    """What libsndfile reads. Raises ``soundfile.LibsndfileError`` when it does not."""

    def __init__(self, path: Path) -> None:
        self._file = soundfile.SoundFile(path)
        self.rate_hz = int(self._file.samplerate)
        self.channels = int(self._file.channels)
        self._steps = int(self._file.frames)
        self.duration_s: float | None = self._steps / self.rate_hz
        self._done = 0
        self.warning: str | None = None
        if _looks_cut(self._file.extra_info):
            self.warning = "the file ends before its header says; what is there was read"

    def read(self, steps: int) -> FloatArray:
        """Give the next [n, channels] samples."""
        if self.warning is not None and self._done == self._steps:
            return np.zeros((0, self.channels), np.float32)
        out = np.full((steps, self.channels), np.nan, np.float32)
        try:
            read: FloatArray = self._file.read(steps, dtype="float32", always_2d=True, out=out)
        except soundfile.LibsndfileError:
            # It does not say how far it came before the damage: as far as there are numbers.
            read = out[: int(np.argmax(np.isnan(out[:, 0])))]
        self._done += len(read)
        if len(read) < steps and self._done < self._steps:
            read_s, all_s = self._done / self.rate_hz, self._steps / self.rate_hz
            self.warning = f"the file is truncated or damaged; {read_s:.2f} s of {all_s:.2f} s were read"
            self._steps = self._done
        return read

    def close(self) -> None:
        """Give the file back."""
        self._file.close()


class FfmpegDecoder:
    """Everything that the ``ffmpeg`` executable decodes, streamed through a pipe.

    ffmpeg writes the AU format: floats behind a header that tells rate and channels.
    """

    def __init__(self, path: Path) -> None:
        self.warning: str | None = None
        self.duration_s = _probe_duration_s(path)
        self._messages = tempfile.TemporaryFile()  # noqa: SIM115  (closed in close)
        command = ["ffmpeg", "-nostdin", "-v", "error", *_input(path), "-vn", "-sn", "-dn"]
        command += ["-f", "au", "-c:a", "pcm_f32be", "pipe:1"]
        self._process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self._messages
        )
        try:
            self.rate_hz, self.channels = self._read_header(path)
        except BaseException:
            self.close()
            raise

    def read(self, steps: int) -> FloatArray:
        """Give the next [n, channels] samples."""
        data = self._read_bytes(steps * self.channels * 4)
        count = len(data) // (4 * self.channels)
        if count < steps and self._process.wait() != 0 and self.warning is None:
            self.warning = f"ffmpeg stopped early: {self._last_message()}"
        samples = np.frombuffer(data, ">f4", count * self.channels)
        return samples.astype(np.float32).reshape(count, self.channels)

    def close(self) -> None:
        """End ffmpeg."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._messages.close()

    def _read_bytes(self, count: int) -> bytes:
        assert self._process.stdout is not None  # opened as a pipe above
        return self._process.stdout.read(count)

    def _read_header(self, path: Path) -> tuple[int, int]:
        header = self._read_bytes(_AU_HEADER.size)
        if len(header) < _AU_HEADER.size:
            self._process.wait()
            raise AudioReadError(
                f"{path}: expected audio, but neither libsndfile nor ffmpeg can decode it (ffmpeg: "
                f"{self._last_message()}); check that the file is complete and holds sound"
            )
        magic, offset, _, encoding, rate_hz, channels = _AU_HEADER.unpack(header)
        if magic != b".snd" or encoding != _AU_FLOAT32:
            raise AudioReadError(
                f"{path}: expected float AU from ffmpeg, found {header!r}; "
                "update ffmpeg, or convert the file to wav"
            )
        self._read_bytes(offset - _AU_HEADER.size)
        return rate_hz, channels

    def _last_message(self) -> str:
        self._messages.seek(0)
        lines = self._messages.read().decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else "no message"


def _looks_cut(sndfile_log: str) -> bool:
    """Whether libsndfile noted, for a wav or ogg file, that the end is missing (it corrects the length)."""
    lines = sndfile_log.splitlines()
    return any(
        (line.startswith("data") and "should be" in line) or "lacks an end-of-stream bit" in line
        for line in lines
    )


def ffmpeg_is_installed() -> bool:
    """Whether the ``ffmpeg`` executable is on the PATH."""
    return shutil.which("ffmpeg") is not None


def _input(path: Path) -> list[str]:
    """Open a file and nothing else: a playlist must not make ffmpeg fetch from the network."""
    return ["-protocol_whitelist", "file,pipe", "-i", f"file:{path}"]


def _probe_duration_s(path: Path) -> float | None:
    if shutil.which("ffprobe") is None:
        return None
    command = ["ffprobe", "-v", "error", "-show_entries", "format=duration", "-of", "csv=p=0", *_input(path)]
    answer = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    try:
        return float(answer.stdout)
    except ValueError:  # "N/A", or nothing
        return None
