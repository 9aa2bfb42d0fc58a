"""The service ``~/transcribe``: recordings, beside listening.

The request is answered from a coroutine: the executor goes on with everything else while the worker's
thread, which owns the model, recognizes the recording in the pauses of listening.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import CancelledError
from pathlib import Path
from typing import Any

from parakeet_asr_msgs.msg import Transcript as TranscriptMessage
from parakeet_asr_msgs.srv import Transcribe
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.lifecycle import LifecycleNode

from parakeet_asr.core.longform import recognize_stream
from parakeet_asr.core.words import mean_confidence
from parakeet_asr.errors import AudioFormatError, AudioReadError, ParakeetError
from parakeet_asr.loader import Model
from parakeet_asr.records import EndReason, FloatArray, Transcript
from parakeet_asr.ros.controls import NO_MODEL
from parakeet_asr.ros.listener import Listener
from parakeet_asr.ros.messages import transcript_message
from parakeet_asr.ros.waiting import result_of
from parakeet_asr.sources.audio_file import open_audio
from parakeet_asr.sources.pcm import decode_pcm
from parakeet_asr.sources.resampling import Resampler

WAITING = 8  # requests at a time; more are refused
BLOCK_S = 1.0  # sound that goes first is looked for this often, in seconds of the recording


class Transcription:
    """Answers requests, in the order in which they came."""

    def __init__(
        self, node: LifecycleNode, folder: Callable[[], str], listener: Callable[[], Listener | None]
    ) -> None:
        """Offer the service.

        Args:
            node: offers it.
            folder: gives the folder below which files may be read; empty: none may.
            listener: gives the one there is now.
        """
        self._node = node
        self._folder = folder
        self._listener = listener
        self.waiting = 0
        # Reentrant: a request that waits holds up no other callback.
        self._service = node.create_service(
            Transcribe, "~/transcribe", self._answer, callback_group=ReentrantCallbackGroup()
        )

    async def _answer(self, request: Any, response: Any) -> Any:
        self.waiting += 1
        try:
            response.transcripts = [await self._transcribe(request)]
            response.success = True
        except (ParakeetError, CancelledError) as error:
            response.message = str(error) or "the node gave its model back before the request's turn"
        finally:
            self.waiting -= 1
        return response

    async def _transcribe(self, request: Any) -> TranscriptMessage:
        listener = self._listener()
        if listener is None:
            raise ParakeetError(NO_MODEL)
        if self.waiting > WAITING:
            raise ParakeetError(f"{WAITING} requests are waiting already; try again later")
        path = self._allowed(request)

        def task(model: Model, breathe: Callable[[], None]) -> TranscriptMessage:
            if path is None:
                return _recognize(model, _pcm_blocks(request), "data", breathe)
            with open_audio(path) as stream:
                return _recognize(model, stream.blocks(BLOCK_S), str(path), breathe)

        message: TranscriptMessage = await result_of(self._node, listener.run_task(task))
        return message

    def _allowed(self, request: Any) -> Path | None:
        """The file to read, or None for data.

        Raises:
            AudioReadError: the file lies elsewhere.
            AudioFormatError: not exactly one of path and data is given.
        """
        if bool(request.path) == bool(len(request.data)):
            raise AudioFormatError("expected either a path or data, got both or neither")
        return allowed_file(self._folder(), str(request.path)) if request.path else None


def allowed_file(folder: str, path: str) -> Path:
    """A file below a folder, with every link and ``..`` resolved.

    Raises:
        AudioReadError: it lies elsewhere, or is not there.
    """
    if not folder:
        raise AudioReadError("files may not be read: transcribe.folder is empty; send data, or set it")
    try:
        root = Path(folder).expanduser().resolve(strict=True)
        file = (root / path).resolve()
    except (OSError, RuntimeError, ValueError) as error:  # RuntimeError: a loop of links
        raise AudioReadError(f"{path!r} below transcribe.folder: {error}") from error
    if not file.is_relative_to(root):
        raise AudioReadError(f"{path!r} lies outside of transcribe.folder; copy it there, or send data")
    if not file.is_file():
        raise AudioReadError(f"{path!r}: there is no such file below transcribe.folder")
    return file


def _pcm_blocks(request: Any) -> Iterator[FloatArray]:
    resampler = Resampler(int(request.sample_rate))
    data = memoryview(request.data).cast("B")
    samples = decode_pcm(data, str(request.encoding), int(request.channels))
    size = math.ceil(BLOCK_S * request.sample_rate)
    for start in range(0, len(samples), size):
        yield resampler.push(samples[start : start + size])
    yield resampler.flush()


def _recognize(
    model: Model, blocks: Iterable[FloatArray], source: str, breathe: Callable[[], None]
) -> TranscriptMessage:
    checksum = 0

    def breathing() -> Iterator[FloatArray]:
        nonlocal checksum
        for block in blocks:
            breathe()  # between two windows: the recognizer holds nothing then
            checksum = zlib.crc32(block.tobytes(), checksum)
            yield block

    heard = recognize_stream(model.recognizer, breathing())
    transcript = Transcript(
        utterance_id=f"{checksum:08x}",
        revision=1,
        is_final=True,
        text=heard.text,
        stable_words=len(heard.words),
        agreed_words=len(heard.words),
        words=heard.words,
        start_ns=0,
        duration_s=heard.duration_s,
        confidence=mean_confidence(heard.words),
        end_reason=EndReason.STREAM,
        recovered=heard.recovered,
    )
    return transcript_message(
        transcript, frame_id="", source=source, language=model.spec.language, latency_s=0.0
    )
