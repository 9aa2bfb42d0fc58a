"""Load a checkpoint that may come from anywhere: nothing that is pickled in it is run."""

from __future__ import annotations

import contextlib
import io
import os
import pickle
import warnings
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import torch
from torch import Tensor

from parakeet_asr.errors import ArchiveError
from parakeet_asr.nemo.direct import NotDirectError, read_to_device

MAX_WEIGHTS_BYTES = 32 << 30


@dataclass(frozen=True, slots=True)
class CheckpointPlace:
    """Where a checkpoint lies: a file, or a part of one."""

    path: Path
    offset_bytes: int = 0
    size_bytes: int | None = None  # None: a file of its own

    def open(self) -> io.BufferedReader:
        """Open for reading."""
        if self.size_bytes is None:
            return self.path.open("rb")
        return io.BufferedReader(_FileSection(self.path, self.offset_bytes, self.size_bytes))


class _FileSection(io.RawIOBase):
    """A part of a file as a file of its own, read without an intermediate copy."""

    def __init__(self, path: Path, offset_bytes: int, size_bytes: int) -> None:
        self._file = path.open("rb", buffering=0)
        self._offset, self._size, self._place = offset_bytes, size_bytes, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._place

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._place, os.SEEK_END: self._size}[whence]
        self._place = max(0, base + offset)
        return self._place

    def readinto(self, buffer: Any) -> int:
        """Fill the whole buffer unless the section ends."""
        view = memoryview(buffer).cast("B")[: max(0, self._size - self._place)]
        done = 0
        while done < len(view):
            self._file.seek(self._offset + self._place)
            count = self._file.readinto(view[done:])
            if not count:
                break
            done += count
            self._place += count
        return done

    def close(self) -> None:
        self._file.close()
        super().close()


def load_checkpoint(source: CheckpointPlace, what: str, device: str = "cpu") -> dict[str, Tensor]:
    """Load a state dict without running anything that is pickled in it.

    Args:
        source: the checkpoint, memory mapped where it is a file of its own and ``device`` is the CPU.
        what: its name in messages.
        device: where the tensors shall be.

    Raises:
        ArchiveError: it is damaged, wants to run code, or is no flat dictionary of dense tensors.
    """
    try:
        with source.open() as stream:
            is_zip = _is_bounded_zip(stream, what)
            stream.seek(0)
            if is_zip and torch.device(device).type == "cuda":
                with contextlib.suppress(NotDirectError):
                    return read_to_device(stream, device)
                stream.seek(0)
            mapped = is_zip and source.size_bytes is None and device == "cpu"
            with warnings.catch_warnings():
                # about pickles that torch did not write: refused or loaded, either is clear
                warnings.simplefilter("ignore")
                loaded = torch.load(
                    source.path if mapped else stream, map_location=device, weights_only=True, mmap=mapped
                )
    except pickle.UnpicklingError as error:
        reason = str(error).splitlines()[0]
        raise ArchiveError(f"{what}: wants to run code or is damaged, refused ({reason})") from error
    except (RuntimeError, EOFError, OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise ArchiveError(f"{what}: damaged ({str(error).splitlines()[0]})") from error
    if not isinstance(loaded, Mapping):
        raise ArchiveError(f"{what}: holds {type(loaded).__name__}, expected a dictionary of tensors")
    for key, value in loaded.items():
        if not isinstance(key, str) or not isinstance(value, Tensor) or value.layout != torch.strided:
            raise ArchiveError(f"{what}: entry {key!r} is no dense tensor")
    return dict(loaded)


def _is_bounded_zip(stream: IO[bytes], what: str) -> bool:
    """Whether it is a torch zip; refuses one that would unpack beyond the limit."""
    if not zipfile.is_zipfile(stream):
        return False
    with zipfile.ZipFile(stream) as archive:
        infos = archive.infolist()
    if sum(info.file_size for info in infos) > MAX_WEIGHTS_BYTES:
        raise ArchiveError(f"{what}: unpacks to more than {MAX_WEIGHTS_BYTES} bytes; refused")
    if any(info.compress_type != zipfile.ZIP_STORED for info in infos):
        raise ArchiveError(f"{what}: has compressed entries, which torch never writes; refused")
    return True
