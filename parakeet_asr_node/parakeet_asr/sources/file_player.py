"""An audio file as a source: at the speed of sound, or as fast as the listener takes it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

from parakeet_asr.records import SAMPLE_RATE_HZ, AudioChunk, EndReason
from parakeet_asr.sources.audio_file import open_audio
from parakeet_asr.sources.source import AudioSink

BLOCK_S = 0.1


class FilePlayer:
    """Plays a file once, on a thread of its own, and then ends the stream.

    The stamps count from the moment of :meth:`start`, whatever the speed.
    """

    def __init__(
        self,
        path: Path,
        *,
        realtime: bool,
        now_ns: Callable[[], int],
        on_end: Callable[[Exception | None], None],
        on_time: Callable[[int], None] | None = None,
        frame_id: str = "",
    ) -> None:
        """Play ``path``.

        Args:
            path: any file that :func:`parakeet_asr.sources.audio_file.open_audio` reads.
            realtime: at the speed of sound; the listener drops what it cannot take. Otherwise the
                player waits for the listener.
            now_ns: the clock of the stamps, nanoseconds.
            on_end: called on the player's thread when the file is over, with the error that ended it
                early; not called after :meth:`stop`.
            on_time: called before each chunk with the capture time of its end, nanoseconds.
            frame_id: coordinate frame of the microphone.
        """
        self.frame_id = frame_id
        self._on_time = on_time
        self._path = path
        self._realtime = realtime
        self._now_ns = now_ns
        self._on_end = on_end
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def name(self) -> str:
        """The file's path."""
        return str(self._path)

    def start(self, sink: AudioSink) -> None:
        """Begin to play.

        Raises:
            AudioReadError: the file cannot be decoded.
        """
        with open_audio(self._path):  # an error now, not later on the thread
            pass
        self._stopped.clear()
        self._thread = threading.Thread(target=self._play, args=(sink,), name="file_player", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop playing. The listener must still be taking chunks, or be stopped itself."""
        self._stopped.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def _play(self, sink: AudioSink) -> None:
        error: Exception | None = None
        try:
            self._deliver(sink)
        except Exception as caught:  # handed on: a thread has nobody to raise to
            error = caught
        if not self._stopped.is_set():
            sink.finish(EndReason.STREAM)
            self._on_end(error)

    def _deliver(self, sink: AudioSink) -> None:
        start_ns, start_s = self._now_ns(), time.monotonic()
        position = 0  # samples
        with open_audio(self._path) as stream:
            for samples in stream.blocks(BLOCK_S):
                chunk = AudioChunk(samples, start_ns + position * 1_000_000_000 // SAMPLE_RATE_HZ)
                position += len(samples)
                if self._realtime:  # a chunk is there when its last sample was captured
                    self._stopped.wait(start_s + position / SAMPLE_RATE_HZ - time.monotonic())
                if self._stopped.is_set():
                    return
                if self._on_time is not None:
                    self._on_time(start_ns + position * 1_000_000_000 // SAMPLE_RATE_HZ)
                if self._realtime:
                    sink.submit(chunk)
                else:
                    sink.submit_blocking(chunk)
