"""A microphone as a source: found by name, and found again when it was unplugged."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator

from parakeet_asr.errors import AudioError, AudioReadError
from parakeet_asr.records import EndReason
from parakeet_asr.sources.pcm import ALL_CHANNELS, decode_pcm
from parakeet_asr.sources.portaudio import (
    Capture,
    CapturedBlock,
    InputDevice,
    PortAudio,
    choose_device,
    input_devices,
    load_portaudio,
)
from parakeet_asr.sources.resampling import StampedResampler
from parakeet_asr.sources.source import AudioSink, SourceObserver

POLL_S = 0.1  # how soon a stop or a lost device is noticed
_log = logging.getLogger(__name__)


def retry_waits_s(first_s: float = 1.0, longest_s: float = 30.0) -> Iterator[float]:
    """Waits between attempts to open a device: 1, 2, 4 ... 30, 30 seconds."""
    wait_s = first_s
    while True:
        yield wait_s
        wait_s = min(2 * wait_s, longest_s)


class MicrophoneSource:
    """Delivers what a microphone hears, as mono at 16 kHz.

    PortAudio's thread only copies; a thread of the source's own converts and delivers. A chunk's stamp is
    the capture time of its first sample. A device that is lost ends the open utterance and is looked for
    until it is there again; PortAudio is initialized anew for that, so the process should have no other
    stream of PortAudio.
    """

    def __init__(
        self,
        wanted: str = "",
        *,
        channel: int = ALL_CHANNELS,
        frame_id: str = "",
        now_ns: Callable[[], int] = time.time_ns,
        observer: SourceObserver | None = None,
        retry_waits_s: Callable[[], Iterator[float]] = retry_waits_s,
        portaudio: PortAudio | None = None,
    ) -> None:
        """Use the device that :func:`choose_device` finds for ``wanted``.

        Args:
            wanted: name, part of a name, or index; "" for the default device.
            channel: the one to take, from 0; -1 for the mean.
            frame_id: coordinate frame of the microphone.
            now_ns: the clock of the stamps.
            observer: is told when the device is lost and when it is back; without one, it is logged.
            retry_waits_s: gives the waits between attempts to open a lost device.
            portaudio: the library, when it is not the installed one.
        """
        self.frame_id = frame_id
        self.overflows = 0  # times that samples were lost because nobody fetched them
        self.reopened = 0  # times that a lost device came back
        self._wanted = wanted
        self._channel = channel
        self._now_ns = now_ns
        self._observer = observer or _LogObserver()
        self._retry_waits_s = retry_waits_s
        self._portaudio = portaudio
        self._device: InputDevice | None = None
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def name(self) -> str:
        """The device's name."""
        return self._device.name if self._device is not None else self._wanted or "default"

    def start(self, sink: AudioSink) -> None:
        """Open the device and deliver.

        Raises:
            AudioReadError: no such device, or it cannot be opened, or PortAudio is not installed.
        """
        portaudio = self._portaudio or load_portaudio()
        capture = self._open(portaudio)
        self._stopping.clear()
        self._thread = threading.Thread(
            target=self._run, args=(portaudio, capture, sink), name="microphone", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Close the device; nothing is delivered once this returns."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def _open(self, portaudio: PortAudio) -> Capture:
        wanted = self._wanted
        if wanted.isdigit() and self._device is not None:
            wanted = self._device.name  # indexes change when devices come and go
        self._device = choose_device(input_devices(portaudio), wanted)
        return Capture(portaudio, self._device, self._channel, self._now_ns)

    def _run(self, portaudio: PortAudio, capture: Capture | None, sink: AudioSink) -> None:
        gap = False
        while capture is not None:
            self._deliver(capture, sink, gap)
            if self._stopping.is_set():
                return
            gap = True
            capture = self._reopen(portaudio)

    def _deliver(self, capture: Capture, sink: AudioSink, gap: bool) -> None:
        """Hand on what the device gives until it is lost or the source is stopped."""
        resampler = StampedResampler()

        def hand_on(block: CapturedBlock | None) -> None:
            nonlocal gap
            if block is None:
                return
            self.overflows += block.overflow
            samples = decode_pcm(block.data, "S16LE", capture.channels, self._channel)
            for chunk in resampler.push(
                samples, capture.device.rate_hz, block.stamp_ns, gap=gap or block.overflow
            ):
                sink.submit(chunk)
            if gap:
                self._observer.recovered()
            gap = False

        while not self._stopping.is_set() and capture.alive:
            hand_on(capture.get(POLL_S))
        capture.close()
        while (block := capture.get(0)) is not None:
            hand_on(block)
        for chunk in resampler.flush():
            sink.submit(chunk)
        sink.finish(EndReason.STREAM)

    def _reopen(self, portaudio: PortAudio) -> Capture | None:
        """Look for the lost device until it is there; None when the source is stopped."""
        error = AudioReadError(f"microphone {self.name!r} gives no sound any more; was it unplugged?")
        for wait_s in self._retry_waits_s():
            self._observer.trouble(AudioReadError(f"{error}\nlooking for it again in {wait_s:g} s"))
            if self._stopping.wait(wait_s):
                return None
            try:
                portaudio._terminate()  # it knows only the devices that were there when it was initialized
                portaudio._initialize()
                capture = self._open(portaudio)
            except AudioReadError as caught:
                error = caught
            except portaudio.PortAudioError as caught:
                error = AudioReadError(f"PortAudio cannot be initialized: {caught}")
            else:
                self.reopened += 1
                return capture
        return None


class _LogObserver:
    """For programs that have nobody else to tell."""

    def __init__(self) -> None:
        self._troubled = False

    def trouble(self, error: AudioError) -> None:
        """Log."""
        self._troubled = True
        _log.error("%s", error)

    def recovered(self) -> None:
        """Log, when there was trouble."""
        if self._troubled:
            _log.warning("sound comes again")
        self._troubled = False
