"""A microphone: chosen by name, opened natively, lost and found again.

At the seam with a PortAudio that does what it is told, and with the real one on a sound card made of
ALSA plug-ins, or on a PulseAudio server that is killed as a device is unplugged; these skip where the
libraries are not installed.
"""

from __future__ import annotations

import itertools
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from parakeet_asr.errors import AudioError, AudioReadError
from parakeet_asr.records import SAMPLE_RATE_HZ, AudioChunk, EndReason
from parakeet_asr.sources.microphone import MicrophoneSource, retry_waits_s
from parakeet_asr.sources.portaudio import QUEUE_BLOCKS, InputDevice, choose_device, describe_devices
from scripted_portaudio import DEVICES, ScriptedPortAudio

TIMEOUT_S = 20.0
NOW_NS = 1_000 * 1_000_000_000


class Listener:
    """Sink and observer in one."""

    def __init__(self) -> None:
        self.chunks: list[AudioChunk] = []
        self.ends: list[EndReason] = []
        self.troubles: list[str] = []
        self.recoveries = 0
        self._changed = threading.Condition()

    def submit(self, chunk: AudioChunk) -> bool:
        return self._note(self.chunks, chunk)

    def submit_blocking(self, chunk: AudioChunk) -> None:
        self._note(self.chunks, chunk)

    def finish(self, reason: EndReason) -> None:
        self._note(self.ends, reason)

    def trouble(self, error: AudioError) -> None:
        self._note(self.troubles, str(error))

    def recovered(self) -> None:
        with self._changed:
            self.recoveries += 1
            self._changed.notify_all()

    def _note(self, where: list[Any], what: Any) -> bool:
        with self._changed:
            where.append(what)
            self._changed.notify_all()
        return True

    def wait_for(self, condition: Callable[[], Any]) -> None:
        with self._changed:
            assert self._changed.wait_for(condition, TIMEOUT_S), (len(self.chunks), self.ends, self.troubles)


@pytest.fixture
def listener() -> Listener:
    return Listener()


@pytest.fixture
def opened() -> Iterator[Callable[..., MicrophoneSource]]:
    """Sources that are stopped at the end."""
    sources: list[MicrophoneSource] = []

    def make(listener: Listener, portaudio: Any, wanted: str = "", **options: Any) -> MicrophoneSource:
        waits = options.pop("retry_waits_s", lambda: itertools.repeat(0.001))
        options = {"now_ns": lambda: NOW_NS, "retry_waits_s": waits, **options}
        source = MicrophoneSource(wanted, portaudio=portaudio, observer=listener, **options)
        sources.append(source)
        source.start(listener)
        return source

    yield make
    for source in sources:
        source.stop()


# --- choice ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wanted", "index"),
    [("", 5), ("default", 5), ("respeaker", 2), ("HDA Intel: ALC (hw:0,0)", 0), ("2", 2), ("hw:0", 0)],
)
def test_a_device_is_chosen_by_name_part_of_a_name_or_index(wanted: str, index: int) -> None:
    assert choose_device(DEVICES, wanted).index == index


@pytest.mark.parametrize(("wanted", "found"), [("hw:", "2 fit"), ("Yeti", "none fits"), ("1", "none fits")])
def test_no_clear_choice_lists_the_devices(wanted: str, found: str) -> None:
    with pytest.raises(AudioReadError) as caught:
        choose_device(DEVICES, wanted)
    assert found in str(caught.value)
    assert describe_devices(DEVICES) in str(caught.value)
    assert "* 5: default (32 channels, 48000 Hz)" in str(caught.value)


def test_an_exact_name_wins_over_a_part() -> None:
    longer = InputDevice(9, "default pulse", 2, 44_100, False)
    assert choose_device([longer, *DEVICES], "default").index == 5


def test_no_device_at_all_is_said(listener: Listener) -> None:
    with pytest.raises(AudioReadError, match="is one plugged in"):
        MicrophoneSource(portaudio=ScriptedPortAudio([])).start(listener)


def test_a_missing_library_is_said_with_the_remedy(
    listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    with pytest.raises(AudioReadError, match="pip install sounddevice.*apt install libportaudio2"):
        MicrophoneSource().start(listener)


# --- capture -----------------------------------------------------------------------------------


def test_it_is_opened_at_its_native_rate_and_delivers_16_khz_with_capture_times(
    listener: Listener, opened: Any
) -> None:
    portaudio = ScriptedPortAudio()
    source = opened(listener, portaudio, frame_id="head")
    (stream,) = portaudio.streams
    assert (stream.options["samplerate"], stream.options["channels"]) == (48_000, 2)
    for _ in range(5):
        stream.give(8192, age_s=0.25)
    source.stop()
    assert stream.closed
    assert source.name == "default"
    assert source.frame_id == "head"
    assert sum(len(chunk.samples) for chunk in listener.chunks) == pytest.approx(SAMPLE_RATE_HZ / 2, abs=2)
    assert listener.chunks[0].stamp_ns == NOW_NS - 250_000_000
    # The filter holds samples back: what comes next was captured before the block that brought it.
    assert listener.chunks[1].stamp_ns < NOW_NS - 250_000_000
    np.testing.assert_allclose(listener.chunks[1].samples, 0.25, atol=1e-3)
    assert listener.ends == [EndReason.STREAM]
    assert listener.troubles == []


@pytest.mark.parametrize("age_s", [50.0, -1.0])
def test_a_driver_without_capture_times_gets_the_length_of_the_block(
    listener: Listener, opened: Any, age_s: float
) -> None:
    portaudio = ScriptedPortAudio()
    opened(listener, portaudio)
    portaudio.streams[0].give(1, age_s=age_s)
    listener.wait_for(lambda: listener.chunks)
    assert listener.chunks[0].stamp_ns == NOW_NS - 100_000_000


def test_one_channel_can_be_chosen(listener: Listener, opened: Any) -> None:
    portaudio = ScriptedPortAudio()
    opened(listener, portaudio, "respeaker", channel=3)
    (stream,) = portaudio.streams
    assert stream.options["channels"] == 4
    stream.give(0, channels=[1, 2, 3, 16_384])
    listener.wait_for(lambda: listener.chunks)
    np.testing.assert_array_equal(listener.chunks[0].samples, 0.5)


def test_a_device_that_offers_all_its_channels_or_none_is_opened_with_all(
    listener: Listener, opened: Any
) -> None:
    portaudio = ScriptedPortAudio()
    portaudio.refuse_channels = {2}
    opened(listener, portaudio, "respeaker")
    assert [stream.options["channels"] for stream in portaudio.streams] == [6]


def test_what_cannot_be_opened_is_said(listener: Listener) -> None:
    portaudio = ScriptedPortAudio()
    with pytest.raises(AudioReadError, match="channel 6 is wanted, but it has 6"):
        MicrophoneSource("respeaker", channel=6, portaudio=portaudio).start(listener)
    portaudio.refuse_channels = {2, 6}
    with pytest.raises(AudioReadError, match="is another program using it"):
        MicrophoneSource("respeaker", portaudio=portaudio).start(listener)


def test_an_overflow_is_counted_and_marked(listener: Listener, opened: Any) -> None:
    portaudio = ScriptedPortAudio()
    source = opened(listener, portaudio, "respeaker")
    for overflow in (False, True, False):
        portaudio.streams[0].give(1, overflow=overflow)
    listener.wait_for(lambda: len(listener.chunks) == 3)
    assert [chunk.discontinuity for chunk in listener.chunks] == [False, True, False]
    assert source.overflows == 1


def test_blocks_that_nobody_fetches_are_bounded_counted_and_marked(listener: Listener, opened: Any) -> None:
    portaudio, release = ScriptedPortAudio(), threading.Event()
    submit = listener.submit
    listener.submit = lambda chunk: release.wait(TIMEOUT_S) and submit(chunk)  # type: ignore[method-assign]
    source = opened(listener, portaudio, "respeaker")
    stream = portaudio.streams[0]
    for _ in range(3 * QUEUE_BLOCKS):
        stream.give(1)
    release.set()
    listener.wait_for(lambda: len(listener.chunks) >= QUEUE_BLOCKS)
    stream.give(2)
    listener.wait_for(lambda: listener.chunks[-1].discontinuity)
    assert len(listener.chunks) <= QUEUE_BLOCKS + 2
    assert source.overflows == 1


# --- unplugged ---------------------------------------------------------------------------------


def test_the_waits_double_up_to_half_a_minute() -> None:
    assert list(itertools.islice(retry_waits_s(), 8)) == [1, 2, 4, 8, 16, 30, 30, 30]


@pytest.mark.parametrize("wanted", ["respeaker", "2"])
def test_an_unplugged_device_ends_the_utterance_is_looked_for_and_resumes_with_a_gap(
    listener: Listener, opened: Any, wanted: str
) -> None:
    portaudio = ScriptedPortAudio()
    source = opened(listener, portaudio, wanted)
    portaudio.streams[0].give(1)
    listener.wait_for(lambda: listener.chunks)
    portaudio.devices = DEVICES[:1]
    portaudio.streams[0].active = False
    listener.wait_for(lambda: len(listener.troubles) >= 3)
    assert listener.ends == [EndReason.STREAM]
    assert "was it unplugged?" in listener.troubles[0]
    assert "none fits" in listener.troubles[1]
    assert portaudio.streams[0].closed
    came_back = InputDevice(1, DEVICES[1].name, 6, 48_000, False)  # at another index and rate
    portaudio.devices = [DEVICES[0], came_back]
    assert portaudio.opened_again.wait(TIMEOUT_S)
    before = len(listener.chunks)
    portaudio.streams[1].give(1)
    portaudio.streams[1].give(1)
    listener.wait_for(lambda: len(listener.chunks) >= before + 2)
    assert [chunk.discontinuity for chunk in listener.chunks[before : before + 2]] == [True, False]
    listener.wait_for(lambda: listener.recoveries == 1)
    assert source.reopened == 1
    assert portaudio.initialized >= 2
    assert portaudio.streams[1].options["device"] == 1


def test_a_device_that_falls_silent_is_lost(
    listener: Listener, opened: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some drivers just stop calling."""
    monkeypatch.setattr("parakeet_asr.sources.portaudio.STALL_S", 0.2)
    portaudio = ScriptedPortAudio()
    opened(listener, portaudio)
    portaudio.streams[0].give(1)
    listener.wait_for(lambda: listener.troubles)
    assert portaudio.streams[0].closed


def test_it_can_be_stopped_while_it_looks_for_the_device(listener: Listener, opened: Any) -> None:
    portaudio = ScriptedPortAudio()
    source = opened(listener, portaudio, retry_waits_s=lambda: itertools.repeat(3600.0))
    portaudio.streams[0].active = False
    listener.wait_for(lambda: listener.troubles)
    began_s = time.monotonic()
    source.stop()
    assert time.monotonic() - began_s < 5
    assert len(portaudio.streams) == 1


# --- the real PortAudio ------------------------------------------------------------------------


def in_a_process_with(configuration: Path, program: str) -> Any:
    """PortAudio reads ALSA's configuration once per process; what the program prints last is JSON."""
    environment = {**os.environ, "ALSA_CONFIG_PATH": str(configuration)}
    command = [sys.executable, "-c", program]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    if "not installed" in result.stderr:
        pytest.skip(result.stderr.strip().splitlines()[-1])
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout.strip().splitlines()[-1])


ALSA = """
pcm.robot_microphone {{ type file slave.pcm source file /dev/null infile {sound} format raw }}
pcm.source {{ type null }}
pcm.!default {{ type plug slave.pcm robot_microphone }}
"""

HEAR = """
import json, threading
from parakeet_asr.sources.microphone import MicrophoneSource
from parakeet_asr.sources.portaudio import input_devices

class Sink:
    chunks, enough = [], threading.Event()
    def submit(self, chunk):
        self.chunks.append(chunk)
        if len(self.chunks) >= 20: self.enough.set()
        return True
    def finish(self, reason): pass

source = MicrophoneSource("robot_mic", channel=0)
source.start(Sink())
assert Sink.enough.wait(20)
source.stop()
heard = len(Sink.chunks)
print(json.dumps(dict(
    devices=[d.name for d in input_devices()], name=source.name,
    loudest=max(float(abs(c.samples).max()) for c in Sink.chunks),
    after_stop=len(Sink.chunks) - heard)))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="ALSA is Linux's")
def test_a_card_of_alsa_plugins_is_found_by_name_and_heard(tmp_path: Path) -> None:
    pytest.importorskip("sounddevice", exc_type=(ImportError, OSError))
    (tmp_path / "sound.raw").write_bytes(np.full(96_000, 8192, "<i2").tobytes())
    configuration = tmp_path / "asound.conf"
    configuration.write_text(ALSA.format(sound=tmp_path / "sound.raw"))
    heard = in_a_process_with(configuration, HEAR)
    assert "robot_microphone" in heard["devices"]
    assert heard["name"] == "robot_microphone"
    assert heard["loudest"] == pytest.approx(0.25, abs=0.05)  # this card knows no time: no more can be said
    assert heard["after_stop"] == 0


PULSE = """
pcm_type.pulse {{ lib libasound_module_pcm_pulse.so }}
pcm.robot_microphone {{ type pulse device mic server "unix:{socket}" }}
pcm.!default {{ type null }}
"""

UNPLUG = """
import itertools, json, subprocess, sys, threading, time
from parakeet_asr.sources.microphone import MicrophoneSource

condition = threading.Condition()
chunks, troubles, ends, recovered = [], [], [], []

def note(where, what=None):
    with condition:
        where.append(what)
        condition.notify_all()
    return True

def wait_for(what):
    with condition:
        assert condition.wait_for(what, 30), (len(chunks), troubles)

class Listener:
    submit = staticmethod(lambda chunk: note(chunks, chunk))
    finish = staticmethod(lambda reason: note(ends, int(reason)))
    trouble = staticmethod(lambda error: note(troubles, str(error)))
    recovered = staticmethod(lambda: note(recovered))

def serve():
    server = subprocess.Popen(COMMAND, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 20
    while subprocess.run(PROBE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return server

server = serve()
source = MicrophoneSource("robot_mic", observer=Listener(), retry_waits_s=lambda: itertools.repeat(0.2))
began_ns = time.time_ns()
source.start(Listener())
wait_for(lambda: len(chunks) >= 8)
server.kill(); server.wait()
wait_for(lambda: troubles and ends)
lost = len(chunks)
server = serve()
wait_for(lambda: len(chunks) >= lost + 5)
source.stop()
server.kill(); server.wait()
stamps = [c.stamp_ns for c in chunks]
steps = [(b - a) / 1e9 - len(c.samples) / 16000 for a, b, c in zip(stamps[2:], stamps[3:lost], chunks[2:])]
print(json.dumps(dict(
    trouble=troubles[0], ends=ends, recovered=len(recovered), reopened=source.reopened,
    gaps=[i - lost for i, c in enumerate(chunks) if c.discontinuity],
    missing_s=(stamps[lost] - stamps[lost - 1]) / 1e9, usual_step_s=sorted(map(abs, steps))[len(steps) // 2],
    first_s=(stamps[0] - began_ns) / 1e9)))
"""


@pytest.mark.skipif(shutil.which("pulseaudio") is None, reason="PulseAudio is not installed")
def test_a_real_device_that_vanishes_is_found_again(tmp_path: Path) -> None:
    """A PulseAudio server with a monitor of silence, killed and started again."""
    pytest.importorskip("sounddevice", exc_type=(ImportError, OSError))
    socket = tmp_path / "socket"
    command = ["env", f"XDG_RUNTIME_DIR={tmp_path}", f"HOME={tmp_path}", "pulseaudio", "-n", "--daemonize=no"]
    command += ["--exit-idle-time=-1", "--use-pid-file=no", "--disallow-exit"]
    command += ["-L", f"module-native-protocol-unix socket={socket} auth-anonymous=1"]
    command += ["-L", "module-null-sink sink_name=silence rate=48000"]
    command += ["-L", "module-remap-source source_name=mic master=silence.monitor"]
    probe = [sys.executable, "-c", f"import socket; socket.socket(socket.AF_UNIX).connect({str(socket)!r})"]
    configuration = tmp_path / "asound.conf"
    configuration.write_text(PULSE.format(socket=socket))
    found = in_a_process_with(configuration, f"COMMAND = {command!r}\nPROBE = {probe!r}\n{UNPLUG}")
    assert "unplugged" in found["trouble"]
    # A server that has just begun may be lost once more before it gives its first sound.
    assert found["reopened"] >= 1
    assert found["ends"] == [EndReason.STREAM] * (found["reopened"] + 1)  # each loss, and the stop
    assert found["recovered"] >= 1
    assert found["gaps"][0] == 0
    assert found["missing_s"] > 0.2
    assert found["usual_step_s"] < 0.02  # stamps and sample counts agree
    assert -1 < found["first_s"] < 10
