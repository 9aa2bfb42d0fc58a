"""A microphone through PortAudio: found by name, opened at its native rate."""

from __future__ import annotations

import queue
import threading
import time
from dataclasses import dataclass
from typing import Any

import sounddevice

from parakeet_asr.errors import AudioReadError
from parakeet_asr.records import AudioChunk, EndReason
from parakeet_asr.sources.pcm import decode_pcm
from parakeet_asr.sources.resampling import Resampler
from parakeet_asr.sources.source import AudioSink

BLOCK_S = 0.1
_END = None


@dataclass(frozen=True, slots=True)
class InputDevice:
    """One device that can record."""

    index: int
    name: str
    channels: int
    rate_hz: int  # native
    is_default: bool


def input_devices() -> list[InputDevice]:
    """Every device that can record, as PortAudio sees them now."""
    default = sounddevice.default.device[0]
    return [
        InputDevice(i, d["name"], d["max_input_channels"], round(d["default_samplerate"]), i == default)
        for i, d in enumerate(sounddevice.query_devices())
        if d["max_input_channels"] > 0
    ]


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
    there = "\n  ".join(f"{d.index}: {d.name}" for d in devices) or "none: is one plugged in, and allowed?"
    found = f"{len(fitting)} fit" if fitting else "none fits"
    raise AudioReadError(
        f"microphone {wanted or 'default'!r}: expected one device, {found}; the devices are\n  {there}"
    )


class MicrophoneSource:
    """Delivers what a microphone hears, mixed down to mono at 16 kHz.

    PortAudio's thread only copies; a thread of the source's own converts and delivers. A chunk's stamp is
    the capture time of its first sample on the system's clock.
    """

    frame_id = ""

    def __init__(self, wanted: str = "") -> None:
        """Use the device that :func:`choose_device` finds for ``wanted``."""
        self._wanted = wanted
        self._device: InputDevice | None = None
        self._stream: sounddevice.RawInputStream | None = None
        self._thread: threading.Thread | None = None
        self._captured: queue.SimpleQueue[tuple[bytes, int, bool] | None] = queue.SimpleQueue()
        self.overflows = 0  # times PortAudio lost samples because nobody fetched them

    @property
    def name(self) -> str:
        """The device's name."""
        return self._device.name if self._device is not None else self._wanted or "default"

    def start(self, sink: AudioSink) -> None:
        """Open the device and deliver.

        Raises:
            AudioReadError: no such device, or it cannot be opened.
        """
        self._device = choose_device(input_devices(), self._wanted)
        channels, rate_hz = min(2, self._device.channels), self._device.rate_hz
        try:
            self._stream = sounddevice.RawInputStream(
                samplerate=rate_hz,
                blocksize=round(BLOCK_S * rate_hz),
                device=self._device.index,
                channels=channels,
                dtype="int16",
                callback=self._on_audio,
            )
            self._stream.start()
        except sounddevice.PortAudioError as error:
            raise AudioReadError(
                f"microphone {self.name!r} cannot be opened at {rate_hz} Hz: {error}; "
                "is another program using it?"
            ) from error
        self._thread = threading.Thread(
            target=self._deliver, args=(sink, channels, rate_hz), name="microphone", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Close the device; nothing is delivered once this returns."""
        if self._stream is not None:
            self._stream.close()
            self._stream = None
        if self._thread is not None:
            self._captured.put(_END)
            self._thread.join()
            self._thread = None

    def _on_audio(self, data: Any, frames: int, times: Any, status: sounddevice.CallbackFlags) -> None:
        """Copy, on PortAudio's own thread."""
        del frames
        age_s = max(0.0, times.currentTime - times.inputBufferAdcTime)
        self._captured.put((bytes(data), time.time_ns() - round(age_s * 1e9), bool(status.input_overflow)))

    def _deliver(self, sink: AudioSink, channels: int, rate_hz: int) -> None:
        resampler = Resampler(rate_hz)
        while (captured := self._captured.get()) is not _END:
            data, stamp_ns, overflow = captured
            if overflow:
                self.overflows += 1
            samples = resampler.push(decode_pcm(data, "S16LE", channels))
            if len(samples):
                sink.submit(AudioChunk(samples, stamp_ns, discontinuity=overflow))
        sink.finish(EndReason.STREAM)
