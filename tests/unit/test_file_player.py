"""A file as a source: everything arrives, in order, stamped, and the end is said once."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

from parakeet_asr.errors import AudioReadError
from parakeet_asr.records import SAMPLE_RATE_HZ, AudioChunk, EndReason
from parakeet_asr.sources.file_player import FilePlayer

START_NS = 5_000_000_000


class Recorder:
    """A sink that keeps everything."""

    def __init__(self) -> None:
        self.chunks: list[AudioChunk] = []
        self.waited = 0
        self.finished: list[EndReason] = []

    def submit(self, chunk: AudioChunk) -> bool:
        self.chunks.append(chunk)
        return True

    def submit_blocking(self, chunk: AudioChunk) -> None:
        self.waited += 1
        self.chunks.append(chunk)

    def finish(self, reason: EndReason) -> None:
        self.finished.append(reason)


@pytest.fixture
def sound(tmp_path: Path) -> Path:
    path = tmp_path / "ramp.wav"
    soundfile.write(path, np.linspace(-0.5, 0.5, 5_000, dtype=np.float32), SAMPLE_RATE_HZ, subtype="FLOAT")
    return path


def play(path: Path, *, realtime: bool) -> tuple[Recorder, float]:
    recorder, ended = Recorder(), threading.Event()
    player = FilePlayer(path, realtime=realtime, now_ns=lambda: START_NS, on_end=lambda _: ended.set())
    began_s = time.monotonic()
    player.start(recorder)
    assert ended.wait(10)
    elapsed_s = time.monotonic() - began_s
    player.stop()
    return recorder, elapsed_s


@pytest.mark.parametrize("realtime", [False, True])
def test_everything_arrives_in_order_with_counted_stamps(sound: Path, realtime: bool) -> None:
    recorder, elapsed_s = play(sound, realtime=realtime)
    samples = np.concatenate([chunk.samples for chunk in recorder.chunks])
    np.testing.assert_allclose(samples, np.linspace(-0.5, 0.5, 5_000), atol=1e-6)
    position = 0
    for chunk in recorder.chunks:
        assert chunk.stamp_ns == START_NS + position * 62_500
        position += len(chunk.samples)
    assert recorder.finished == [EndReason.STREAM]
    assert (recorder.waited == 0) == realtime
    if realtime:
        assert elapsed_s >= 5_000 / SAMPLE_RATE_HZ


def test_the_time_of_each_chunk_is_told_before_it(sound: Path) -> None:
    recorder, ended = Recorder(), threading.Event()
    told: list[tuple[int, int]] = []
    player = FilePlayer(
        sound,
        realtime=False,
        now_ns=lambda: START_NS,
        on_end=lambda _: ended.set(),
        on_time=lambda time_ns: told.append((time_ns, len(recorder.chunks))),
        frame_id="head",
    )
    player.start(recorder)
    assert ended.wait(10)
    player.stop()
    ends = [chunk.stamp_ns + len(chunk.samples) * 62_500 for chunk in recorder.chunks]
    assert told == [(end_ns, index) for index, end_ns in enumerate(ends)]
    assert player.frame_id == "head"


def test_stop_ends_a_file_early_and_quietly(sound: Path) -> None:
    recorder = Recorder()
    ended: list[Exception | None] = []
    player = FilePlayer(sound, realtime=True, now_ns=lambda: START_NS, on_end=ended.append)
    player.start(recorder)
    player.stop()
    assert len(recorder.chunks) < 4
    assert recorder.finished == []
    assert ended == []


def test_a_file_that_is_no_sound_is_refused_at_the_start(tmp_path: Path) -> None:
    path = tmp_path / "garbage.wav"
    path.write_bytes(b"no sound at all")
    player = FilePlayer(path, realtime=True, now_ns=lambda: 0, on_end=lambda _: None)
    with pytest.raises(AudioReadError, match=r"garbage\.wav"):
        player.start(Recorder())
