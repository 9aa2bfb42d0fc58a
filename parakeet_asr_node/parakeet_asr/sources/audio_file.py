"""Audio files of any format, rate and channel count to 16 kHz mono, in bounded memory."""

from __future__ import annotations

import errno
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

import numpy as np
import soundfile

from parakeet_asr.core.sound import downmix, silence_nonsense
from parakeet_asr.errors import AudioFormatError, AudioReadError
from parakeet_asr.records import FloatArray
from parakeet_asr.sources.decoders import (
    FORMATS,
    Decoder,
    FfmpegDecoder,
    SndfileDecoder,
    ffmpeg_is_installed,
)
from parakeet_asr.sources.resampling import Resampler

_log = logging.getLogger(__name__)


class AudioStream:
    """An open audio file. Use as a context manager; it can be read once."""

    def __init__(self, name: str, decoder: Decoder) -> None:
        """Wrap an open decoder; :func:`open_audio` makes one."""
        self.name = name
        self._decoder = decoder
        self._nonsense = 0
        try:
            self._resampler = Resampler(decoder.rate_hz)
        except AudioFormatError as error:
            decoder.close()
            raise AudioFormatError(f"{name}: {error}") from error

    @property
    def duration_s(self) -> float | None:
        """Length as the file says; None when only reading tells."""
        return self._decoder.duration_s

    @property
    def rate_hz(self) -> int:
        """The file's own sample rate."""
        return self._decoder.rate_hz

    @property
    def channels(self) -> int:
        """The file's own channel count."""
        return self._decoder.channels

    @property
    def warning(self) -> str | None:
        """What was wrong with the file although it could be read; complete after the last block."""
        found = [self._decoder.warning] if self._decoder.warning else []
        if self._nonsense:
            found.append(f"{self._nonsense} samples were no finite numbers and were taken as silence")
        return "; ".join(found) or None

    def blocks(self, block_s: float = 1.0) -> Iterator[FloatArray]:
        """Give the sound as [n] float32 mono at 16 kHz, about ``block_s`` at a time.

        A file that ends early or is damaged on its way gives what can be decoded, and a warning in the
        log (and in :attr:`warning`).

        Raises:
            AudioReadError: the file is damaged at its very beginning.
        """
        steps = max(1, round(block_s * self.rate_hz))
        total = 0
        while (block := self._decoder.read(steps)).size:
            total += len(block)
            sound, replaced = silence_nonsense(block)
            self._nonsense += replaced
            ready = self._resampler.push(downmix(sound))
            if ready.size:
                yield ready
        if total == 0 and self._decoder.warning:
            raise AudioReadError(
                f"{self.name}: expected sound, but nothing can be decoded: {self._decoder.warning}; "
                "get a complete copy of the file"
            )
        rest = self._resampler.flush()
        if rest.size:
            yield rest
        if self.warning:
            _log.warning("%s: %s", self.name, self.warning)

    def close(self) -> None:
        """Give the file back."""
        self._decoder.close()

    def __enter__(self) -> AudioStream:
        """Use as a context manager that closes."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        self.close()


def open_audio(path: str | os.PathLike[str]) -> AudioStream:
    """Open an audio file: libsndfile first, then ffmpeg where it is installed.

    Raises:
        AudioReadError: no such file, not a file, empty, or not decodable.
        AudioFormatError: a sample rate out of reason.
    """
    file = Path(path)
    _check_file(file)
    return AudioStream(str(file), _open_decoder(file))


def read_audio(path: str | os.PathLike[str]) -> FloatArray:
    """Read a whole audio file as [n] float32 mono at 16 kHz.

    Raises:
        AudioReadError: no such file, not a file, empty, or not decodable.
        AudioFormatError: a sample rate out of reason.
    """
    with open_audio(path) as stream:
        return np.concatenate([np.zeros(0, np.float32), *stream.blocks()])


def _check_file(file: Path) -> None:
    if file.is_dir():
        raise AudioReadError(f"{file}: expected an audio file, found a directory; name the files in it")
    try:
        size_bytes = file.stat().st_size
        if not os.access(file, os.R_OK):  # not by opening it: a pipe can be opened only once
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise AudioReadError(
            f"{file}: expected an audio file that can be read, found: {reason}; "
            "check the path and its permissions"
        ) from error
    if size_bytes == 0 and file.is_file():
        raise AudioReadError(f"{file}: expected an audio file, found 0 bytes; record or copy it again")


def _open_decoder(file: Path) -> Decoder:
    try:
        return SndfileDecoder(file)
    except (soundfile.LibsndfileError, TypeError) as error:  # TypeError: a name that ends in .raw
        if ffmpeg_is_installed():
            return FfmpegDecoder(file)
        reason = getattr(error, "error_string", "headerless audio").strip(" .")
        raise AudioReadError(
            f"{file}: expected {FORMATS}, but libsndfile cannot open it ({reason}); if the file is "
            "complete and of another format, install ffmpeg (Debian, Ubuntu: sudo apt install ffmpeg)"
        ) from error
