"""``devices`` and ``listen`` with the real PortAudio, and a sound card of ALSA plug-ins that a pipe feeds."""

from __future__ import annotations

import itertools
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import pytest
import soxr

from parakeet_asr.records import SAMPLE_RATE_HZ, FloatArray
from parakeet_asr.sources.audio_file import read_audio
from parakeet_asr.sources.portaudio import LATENCY_S

if sys.platform != "linux":
    pytest.skip("ALSA is Linux's", allow_module_level=True)
import fcntl

# The card gives what comes through the pipe, as S16LE of the rate and channels with which it is opened.
ALSA = """
pcm.robot_microphone {{ type file slave.pcm nowhere file /dev/null infile {pipe} format raw }}
pcm.nowhere {{ type null }}
pcm.!default {{ type plug slave.pcm nowhere }}
"""
CHANNELS = 2  # as many as a microphone is opened with where it has as many
PIECE_S = LATENCY_S / 2  # what ALSA fetches at a time: it would fill less up with anything
PIPE_BYTES = 1 << 20  # 6 s at 44.1 kHz
PATIENCE_S = 120.0  # a machine that does a lot else


@pytest.fixture
def pipe(tmp_path: Path) -> Iterator[int]:
    """Our end of the card; open for reading, too, so that nobody who opens the other end has to wait."""
    os.mkfifo(tmp_path / "sound")
    (tmp_path / "asound.conf").write_text(ALSA.format(pipe=tmp_path / "sound"))
    descriptor = os.open(tmp_path / "sound", os.O_RDWR | os.O_NONBLOCK)
    fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    yield descriptor
    os.close(descriptor)


@pytest.fixture
def command(tmp_path: Path) -> Callable[..., subprocess.Popen[str]]:
    pytest.importorskip("sounddevice", exc_type=(ImportError, OSError))

    def start(*arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "parakeet_asr.cli.main", *arguments],
            env={**os.environ, "ALSA_CONFIG_PATH": str(tmp_path / "asound.conf")},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            # Who runs the tests in a shell's background has SIGINT ignored, and children inherit that.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )

    return start


def rate_of(card: str, listed: str) -> int:
    found = re.search(rf"^[ *] \d+: {card} \((\d+) channels, (\d+) Hz\)$", listed, re.MULTILINE)
    assert found, listed
    assert int(found[1]) >= CHANNELS
    return int(found[2])


@contextmanager
def playing(pipe: int, sound: FloatArray, rate_hz: int) -> Iterator[None]:
    """Feed the card at the speed of sound, and with a quiet room afterwards until the end of the block."""
    size = round(PIECE_S * rate_hz)
    resampled = soxr.resample(sound, SAMPLE_RATE_HZ, rate_hz)
    whole = np.pad(resampled, (0, -len(resampled) % size))
    both = np.repeat(whole[:, None], CHANNELS, axis=1)
    noise = np.random.default_rng(0).standard_normal((size, CHANNELS))
    room = (3.0 * noise).astype("<i2").tobytes()
    data = (32767 * np.clip(both, -1, 1)).astype("<i2")
    pieces = [data[i : i + size].tobytes() for i in range(0, len(data), size)]
    over = threading.Event()

    def feed() -> None:
        began_s = time.monotonic()
        for number in itertools.count(1):
            if over.wait(max(0.0, began_s + number * PIECE_S - time.monotonic())):
                return
            with suppress(BlockingIOError):  # nobody fetched the last 6 s
                os.write(pipe, pieces.pop(0) if pieces else room)

    thread = threading.Thread(target=feed)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def test_devices_lists_the_card_and_listen_hears_what_is_said_into_it(
    root: Path, pipe: int, command: Callable[..., subprocess.Popen[str]]
) -> None:
    listed, errors = command("devices").communicate(timeout=PATIENCE_S)
    assert re.search(r"^\* \d+: default ", listed, re.MULTILINE), errors
    rate_hz = rate_of("robot_microphone", listed)

    samples = root / "examples" / "samples"
    said = json.loads((samples / "manifest.jsonl").read_text(encoding="utf-8").splitlines()[2])
    listener = command(
        *("listen", "--device", "robot_mic", "--threads", "1"),
        *("--gap-tolerance-s", "2"),  # this card knows no time: two blocks come at once
    )
    assert listener.stderr is not None
    assert listener.stdout is not None
    watchdog = threading.Timer(PATIENCE_S, listener.kill)
    watchdog.start()
    first = []  # ALSA may have something to say, too
    for line in listener.stderr:
        first.append(line)
        if line == "listening to robot_microphone; Ctrl-C ends\n":
            break
    with playing(pipe, read_audio(samples / said["audio"]), rate_hz):
        heard = []
        for line in listener.stdout:
            heard.append(json.loads(line))
            if heard[-1].get("end_reason") == "silence":
                break
        listener.send_signal(signal.SIGINT)
        rest, errors = listener.communicate()
    watchdog.cancel()
    assert listener.returncode == 0, [*first, errors, heard[-3:]]
    assert rest == ""
    finals = [one for one in heard if one["event"] == "final"]
    assert " ".join(one["text"] for one in finals) == said["text"]
    assert len(heard) > len(finals), "partials come first"
    assert abs(time.time() - float(heard[-1]["utterance_id"])) < PATIENCE_S  # of the time of capture
