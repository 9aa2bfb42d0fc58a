"""PortAudio through sounddevice: the devices that record, and one of them opened."""

from __future__ import annotations

import queue
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from parakeet_asr.errors import AudioReadError

BLOCK_S = 0.1
START_S = 10.0  # how long a device may take until it gives its first sound
STALL_S = 2.0  # a device that gives nothing for so long, when it did before, is gone
LATENCY_S = 0.4  # what the host keeps while this process is kept from running
QUEUE_BLOCKS = 50  # 5 s; what nobody fetches in that time is lost


class PortAudio(Protocol):
    """What is used of the module ``sounddevice``.

    The last two belong to its documented way of finding devices that were plugged in later.
    """

    PortAudioError: type[Exception]
    default: Any

    def query_devices(self) -> Any: ...  # noqa: D102

    def RawInputStream(self, **options: Any) -> Any: ...  # noqa: D102, N802

    def _terminate(self) -> None: ...

    def _initialize(self) -> None: ...


@dataclass(frozen=True, slots=True)
class InputDevice:
    """One device that can record."""

    index: int
    name: str
    channels: int
    rate_hz: int  # native
    is_default: bool


@dataclass(frozen=True, slots=True)
class CapturedBlock:
    """What the device gave at a time."""

    data: bytes  # S16LE, interleaved
    stamp_ns: int  # capture time of the first sample
    overflow: bool  # samples are missing before it


def load_portaudio() -> PortAudio:
    """Import sounddevice, which loads the PortAudio library.

    Raises:
        AudioReadError: one of them is not installed.
    """
    try:
        import sounddevice
    except (ImportError, OSError) as error:  # OSError: the library itself
        raise AudioReadError(
            f"a microphone needs sounddevice and PortAudio, which are not installed ({error}): "
            "pip install sounddevice, and on Debian or Ubuntu: sudo apt install libportaudio2"
        ) from error
    module: PortAudio = sounddevice
    return module


def input_devices(portaudio: PortAudio | None = None) -> list[InputDevice]:
    """Every device that can record, as PortAudio saw them when it was initialized.

    Raises:
        AudioReadError: sounddevice or PortAudio is not installed.
    """
    portaudio = portaudio or load_portaudio()
    default = portaudio.default.device[0]
    return [
        InputDevice(i, d["name"], d["max_input_channels"], round(d["default_samplerate"]), i == default)
        for i, d in enumerate(portaudio.query_devices())
        if d["max_input_channels"] > 0
    ]


def describe_devices(devices: list[InputDevice]) -> str:
    """One line per device: index, name, channels, rate; the default is marked with a star."""
    return "\n".join(
        f"{'*' if d.is_default else ' '} {d.index}: {d.name} ({d.channels} channels, {d.rate_hz} Hz)"
        for d in devices
    )


def choose_device(devices: list[InputDevice], wanted: str) -> InputDevice:
    """Choose by exact name, unique part of a name (case ignored) or index; "" is the default device.

    Raises:
        AudioReadError: none or several fit; the message lists what there is.
    """
    if not wanted:
        fitting = [d for d in devices if d.is_default] or devices[:1]
    elif wanted.isdigit():
        fitting = [d for d in devices if d.index == int(wanted)]
    else:
        fitting = [d for d in devices if d.name == wanted]
        fitting = fitting or [d for d in devices if wanted.lower() in d.name.lower()]
    if len(fitting) == 1:
        return fitting[0]
    there = describe_devices(devices) or "  none: is one plugged in, and allowed?"
    found = f"{len(fitting)} fit" if fitting else "none fits"
    raise AudioReadError(
        f"microphone {wanted or 'default'!r}: expected one device, {found}; the devices are\n{there}"
    )


class Capture:
    """An open device. PortAudio's thread only copies; blocks are fetched by :meth:`get`."""

    def __init__(
        self, portaudio: PortAudio, device: InputDevice, channel: int, now_ns: Callable[[], int]
    ) -> None:
        """Open the device at its native rate and start it.

        Args:
            portaudio: the library.
            device: one of :func:`input_devices`.
            channel: the one that is wanted, from 0; -1 for the mean of two.
            now_ns: the clock of the stamps.

        Raises:
            AudioReadError: the device cannot be opened, or has no such channel.
        """
        if channel >= device.channels:
            raise AudioReadError(
                f"microphone {device.name!r}: channel {channel} is wanted, but it has {device.channels} "
                "(counted from 0); choose another one in audio.channel"
            )
        self.device = device
        self._now_ns = now_ns
        self._blocks: queue.SimpleQueue[CapturedBlock] = queue.SimpleQueue()
        self._lost = False  # a block was thrown away since the last one that fitted
        self._begun = False  # what overflows while the device starts was never wanted
        self._last_s = time.monotonic()
        self._stream, self.channels = self._open(portaudio, channel)

    @property
    def alive(self) -> bool:
        """Whether the device is still there and gives sound."""
        patience_s = STALL_S if self._begun else START_S
        return bool(self._stream.active) and time.monotonic() - self._last_s < patience_s

    def get(self, timeout_s: float) -> CapturedBlock | None:
        """Fetch the next block; None when none came in time."""
        try:
            return self._blocks.get(timeout=timeout_s) if timeout_s else self._blocks.get_nowait()
        except queue.Empty:
            return None

    def close(self) -> None:
        """Close the device; blocks that came before can still be fetched."""
        self._stream.close(ignore_errors=True)

    def _open(self, portaudio: PortAudio, channel: int) -> tuple[Any, int]:
        """Open as few channels as hold the wanted one; some devices offer all or nothing."""
        everything = self.device.channels
        error: Exception | None = None
        for channels in dict.fromkeys([min(max(2, channel + 1), everything), everything]):
            stream, error = self._try(portaudio, channels)
            if stream is not None:
                return stream, channels
        raise AudioReadError(
            f"microphone {self.device.name!r} cannot be opened at {self.device.rate_hz} Hz: {error}; "
            "is another program using it?"
        ) from error

    def _try(self, portaudio: PortAudio, channels: int) -> tuple[Any, Exception | None]:
        stream = None
        try:
            stream = portaudio.RawInputStream(
                samplerate=self.device.rate_hz,
                blocksize=round(BLOCK_S * self.device.rate_hz),
                device=self.device.index,
                channels=channels,
                dtype="int16",
                latency=LATENCY_S,
                callback=self._on_audio,
            )
            stream.start()
        except portaudio.PortAudioError as error:
            if stream is not None:
                stream.close(ignore_errors=True)
            return None, error
        return stream, None

    def _on_audio(self, data: Any, frames: int, times: Any, status: Any) -> None:
        """Copy, on PortAudio's own thread."""
        self._last_s = time.monotonic()
        if self._blocks.qsize() >= QUEUE_BLOCKS:
            self._lost = True
            return
        length_s = frames / self.device.rate_hz
        # Some drivers tell no capture time, or nonsense; and no sample is younger than its block is long.
        age_s = times.currentTime - times.inputBufferAdcTime
        age_s = max(age_s, length_s) if times.inputBufferAdcTime and age_s < STALL_S else length_s
        stamp_ns = self._now_ns() - round(age_s * 1e9)
        overflow = (bool(status.input_overflow) and self._begun) or self._lost
        self._begun, self._lost = True, False
        self._blocks.put(CapturedBlock(bytes(data), stamp_ns, overflow))
