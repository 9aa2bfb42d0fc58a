"""``parakeet-asr listen`` and ``devices``: a microphone as JSON lines."""

from __future__ import annotations

import signal
import sys
import threading
from dataclasses import dataclass

from parakeet_asr.cli.phrases import NO_PHRASES, PhraseRequest, listen_for
from parakeet_asr.cli.stream import event_json
from parakeet_asr.core.choices import DeviceName, EngineName
from parakeet_asr.core.session import SessionOptions
from parakeet_asr.loader import load_model
from parakeet_asr.records import Event, Transcript
from parakeet_asr.sources.microphone import MicrophoneSource
from parakeet_asr.sources.portaudio import describe_devices, input_devices, load_portaudio
from parakeet_asr.worker import Worker


@dataclass(frozen=True, slots=True)
class ListenRequest:
    """What the command line asked for."""

    device: str
    model: str
    engine: EngineName
    engine_device: DeviceName
    threads: int | None
    options: SessionOptions
    phrases: PhraseRequest = NO_PHRASES


def listen(request: ListenRequest) -> None:
    """Print a JSON line for every partial and final until interrupted.

    Raises:
        AudioReadError: the device is not there or cannot be opened, or PortAudio is not installed.
        ModelError, EngineError: the model cannot be loaded.
    """
    source = MicrophoneSource(request.device, portaudio=load_portaudio())
    with load_model(
        request.model, engine=request.engine, device=request.engine_device, threads=request.threads
    ) as model:
        listen_for(model, request.phrases)
        model.warm_up()
        worker = Worker(model.session(request.options), _Printer(), _report)
        worker.start()
        try:
            source.start(worker)
            print(f"listening to {source.name}; Ctrl-C ends", file=sys.stderr)
            threading.Event().wait()
        except KeyboardInterrupt:
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second one must not cut the end short
        finally:
            source.stop()
            worker.drain(timeout_s=10.0)
            worker.stop()


def print_devices() -> None:
    """One line per device: index, name, channels, rate; the default is marked."""
    devices = input_devices()
    if not devices:
        print("parakeet-asr: nothing here can record", file=sys.stderr)
    else:
        print(describe_devices(devices))


class _Printer:
    """Prints transcripts; seconds count from the first utterance's begin."""

    def __init__(self) -> None:
        self._start_ns: int | None = None

    def __call__(self, event: Event, latency_s: float) -> None:
        if not isinstance(event, Transcript):
            return
        if self._start_ns is None:
            self._start_ns = event.start_ns
        audio_s = (event.start_ns - self._start_ns) / 1e9 + event.duration_s
        print(event_json(event, self._start_ns, audio_s, latency_s), flush=True)


def _report(error: Exception) -> None:
    print(f"parakeet-asr: an utterance is lost: {error}", file=sys.stderr)
