"""A PortAudio that does what a test tells it."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np

from parakeet_asr.sources.portaudio import InputDevice

DEVICES = [
    InputDevice(0, "HDA Intel: ALC (hw:0,0)", 2, 44_100, False),
    InputDevice(2, "ReSpeaker 4 Mic Array: USB Audio (hw:1,0)", 6, 16_000, False),
    InputDevice(5, "default", 32, 48_000, True),
]


class PortAudioError(Exception):
    """As sounddevice's."""


class Times:
    def __init__(self, current: float, captured: float) -> None:
        self.currentTime, self.inputBufferAdcTime = current, captured


class Status:
    def __init__(self, overflow: bool) -> None:
        self.input_overflow = overflow


class Stream:
    """An open stream of the scripted PortAudio; the test speaks through it."""

    def __init__(self, owner: ScriptedPortAudio, options: dict[str, Any]) -> None:
        self.owner, self.options = owner, options
        self.active = self.closed = False

    def start(self) -> None:
        self.active = True

    def close(self, ignore_errors: bool = True) -> None:
        self.active, self.closed = False, True

    def give(self, value: int, *, overflow: bool = False, age_s: float = 0.1, channels: Any = None) -> None:
        """One block of a constant; or one value for each channel."""
        count = self.options["channels"]
        data = np.tile(np.asarray(channels or [value] * count, "<i2"), self.options["blocksize"])
        self.give_bytes(data.tobytes(), overflow=overflow, age_s=age_s)

    def give_bytes(self, data: bytes, *, overflow: bool = False, age_s: float = 0.1) -> None:
        """One block, interleaved."""
        frames = len(data) // 2 // self.options["channels"]
        self.options["callback"](memoryview(data), frames, Times(50.0, 50.0 - age_s), Status(overflow))


class ScriptedPortAudio:
    """The part of the module sounddevice that is used."""

    PortAudioError = PortAudioError

    def __init__(self, devices: list[InputDevice] = DEVICES) -> None:
        self.devices = devices
        self.seen = list(devices)  # as of the last initialization
        self.refuse_channels: set[int] = set()
        self.streams: list[Stream] = []
        self.initialized = 0
        self.opened_again = threading.Event()

    @property
    def default(self) -> Any:
        index = next((d.index for d in self.seen if d.is_default), -1)
        return type("Default", (), {"device": (index, -1)})

    def query_devices(self) -> list[dict[str, Any]]:
        by_index = {d.index: d for d in self.seen}
        nothing = {"name": "HDMI", "max_input_channels": 0, "default_samplerate": 44_100.0}
        return [
            {"name": d.name, "max_input_channels": d.channels, "default_samplerate": float(d.rate_hz)}
            if (d := by_index.get(i))
            else nothing
            for i in range(max(by_index, default=-1) + 1)
        ]

    def RawInputStream(self, **options: Any) -> Stream:  # noqa: N802
        if options["channels"] in self.refuse_channels:
            raise PortAudioError("Invalid number of channels")
        self.streams.append(Stream(self, options))
        if len(self.streams) == 2:
            self.opened_again.set()
        return self.streams[-1]

    def _terminate(self) -> None:
        self.seen = []

    def _initialize(self) -> None:
        self.initialized += 1
        self.seen = list(self.devices)
