"""Read a checkpoint's tensors straight from the file to a CUDA device, through two pinned buffers in turn.

``torch.load`` makes host memory for every tensor first, which costs more than reading and copying together.
Here the pickle is only a table of contents: an unpickler that knows one way to describe a tensor, and no
other function, says where each lies in the (uncompressed) zip, and the bytes go from the page cache to the
device.
"""

from __future__ import annotations

import io
import pickle
import struct
import zipfile
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

_PICKLE = "data.pkl"
_MAX_PICKLE_BYTES = 64 << 20
_STAGING_BYTES = 32 << 20
_LOCAL_HEADER_BYTES = 30  # of a zip member, before its name and extra field

_DTYPES = {
    "FloatStorage": torch.float32,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "DoubleStorage": torch.float64,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "BoolStorage": torch.bool,
    "ByteStorage": torch.uint8,
}


class NotDirectError(Exception):
    """The checkpoint holds something that is not described here; ``torch.load`` decides about it."""


@dataclass(frozen=True, slots=True)
class _Storage:
    """Where the elements of a tensor lie."""

    dtype: torch.dtype
    key: str
    elements: int


@dataclass(frozen=True, slots=True)
class _Planned:
    """A tensor that was not read yet."""

    storage: _Storage
    offset: int  # elements
    size: tuple[int, ...]
    stride: tuple[int, ...]


def read_to_device(stream: io.BufferedReader, device: str) -> dict[str, Tensor]:
    """All tensors of a checkpoint, on a device.

    Args:
        stream: a zip as ``torch.save`` writes it.
        device: as torch names it; made for CUDA, right everywhere.

    Raises:
        NotDirectError: it is anything else than a flat dictionary of plain tensors.
        OSError, zipfile.BadZipFile: it is damaged.
    """
    with zipfile.ZipFile(stream) as archive:
        root = next((n[: -len(_PICKLE)] for n in archive.namelist() if n.endswith(f"/{_PICKLE}")), None)
        if root is None or archive.getinfo(root + _PICKLE).file_size > _MAX_PICKLE_BYTES:
            raise NotDirectError
        if f"{root}byteorder" in archive.namelist() and archive.read(f"{root}byteorder") != b"little":
            raise NotDirectError
        planned = _plan(archive.read(root + _PICKLE))
        members = {name: archive.getinfo(name) for name in archive.namelist()}
    storages: dict[str, Tensor] = {}
    copier = _Copier(stream, device)
    for one in planned.values():
        key = one.storage.key
        if key not in storages:
            member = members.get(f"{root}data/{key}")
            size = one.storage.elements * one.storage.dtype.itemsize
            if member is None or member.file_size != size or member.compress_type != zipfile.ZIP_STORED:
                raise NotDirectError
            storages[key] = copier.copy(_data_offset(stream, member), size).view(one.storage.dtype)
    copier.finish()
    try:
        return {
            name: torch.as_strided(storages[one.storage.key], one.size, one.stride, one.offset)
            for name, one in planned.items()
        }
    except RuntimeError as error:  # beyond the storage
        raise NotDirectError from error


def _plan(content: bytes) -> Mapping[str, _Planned]:
    try:
        plan = _Contents(io.BytesIO(content)).load()
    except (pickle.UnpicklingError, TypeError, ValueError, AttributeError, KeyError, EOFError) as error:
        raise NotDirectError from error
    if not isinstance(plan, Mapping) or not all(
        isinstance(name, str) and isinstance(one, _Planned) for name, one in plan.items()
    ):
        raise NotDirectError
    return plan


class _Contents(pickle.Unpickler):
    """Knows ordered dictionaries and the way a plain tensor is described; refuses every other name."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _planned
        if module == "torch" and name in _DTYPES:
            return _DTYPES[name]
        raise pickle.UnpicklingError(f"{module}.{name}")

    def persistent_load(self, pid: Any) -> _Storage:
        kind, dtype, key, _, elements = pid
        if kind != "storage" or not isinstance(dtype, torch.dtype) or not isinstance(key, str):
            raise pickle.UnpicklingError("no storage")
        return _Storage(dtype, key, int(elements))


def _planned(storage: _Storage, offset: int, size: Any, stride: Any, *_: Any) -> _Planned:
    return _Planned(storage, int(offset), tuple(map(int, size)), tuple(map(int, stride)))


def _data_offset(stream: io.BufferedReader, member: zipfile.ZipInfo) -> int:
    stream.seek(member.header_offset)
    header = stream.read(_LOCAL_HEADER_BYTES)
    name_bytes, extra_bytes = struct.unpack_from("<HH", header, 26)
    return member.header_offset + _LOCAL_HEADER_BYTES + int(name_bytes) + int(extra_bytes)


class _Copier:
    """Reads into one pinned buffer while the device still copies from the other."""

    def __init__(self, stream: io.BufferedReader, device: str) -> None:
        self._stream, self._device = stream, device
        self._on_cuda = torch.device(device).type == "cuda"
        self._buffers = [
            torch.empty(_STAGING_BYTES, dtype=torch.uint8, pin_memory=self._on_cuda) for _ in range(2)
        ]
        make_event: Any = torch.cuda.Event  # torch types it not
        self._read = [make_event() for _ in self._buffers] if self._on_cuda else []
        self._turn = 0

    def copy(self, offset: int, size: int) -> Tensor:
        """[size] bytes of the stream, on the device once its stream was synchronised."""
        out = torch.empty(size, dtype=torch.uint8, device=self._device)
        self._stream.seek(offset)
        for first in range(0, size, _STAGING_BYTES):
            count = min(_STAGING_BYTES, size - first)
            pinned = self._buffers[self._turn][:count]
            if self._on_cuda:
                self._read[self._turn].synchronize()  # returns at once before the first record
            if self._stream.readinto(pinned.numpy().data) != count:
                raise OSError("the file ends before the tensor does")
            out[first : first + count].copy_(pinned, non_blocking=True)
            if self._on_cuda:
                self._read[self._turn].record()
            self._turn = 1 - self._turn
        return out

    def finish(self) -> None:
        """Wait for the last copies."""
        for event in self._read:
            event.synchronize()
