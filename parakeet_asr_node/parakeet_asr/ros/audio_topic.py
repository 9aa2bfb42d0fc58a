"""An AudioChunk topic as a source."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from parakeet_asr_msgs.msg import AudioChunk as AudioChunkMessage
from rclpy.lifecycle import LifecycleNode

from parakeet_asr.core.timeline import SAMPLE_NS
from parakeet_asr.errors import AudioFormatError
from parakeet_asr.records import SAMPLE_RATE_HZ, AudioChunk
from parakeet_asr.ros.messages import NANOSECONDS, stamp_ns
from parakeet_asr.ros.qos import audio_profile
from parakeet_asr.sources.pcm import decode_pcm
from parakeet_asr.sources.resampling import Resampler
from parakeet_asr.sources.source import AudioSink

MATCH_PERIOD_S = 1.0


class ChunkReader:
    """Messages to chunks at 16 kHz; remembers what a stream needs: the resampler and the sequence."""

    def __init__(self) -> None:
        """Nothing was read yet."""
        self._resampler: Resampler | None = None
        self._pushed = self._pulled = 0  # samples that went into and came out of the resampler
        self._expected = 0  # sequence of the next message; 0: not known
        self._next_ns = 0  # capture time of the next sample, if none is missing
        self.lost = 0  # messages that are missing by their sequence

    def read(self, message: AudioChunkMessage) -> AudioChunk:
        """Convert the next message.

        Raises:
            AudioFormatError: the message cannot be understood; the next one can be given all the same.
        """
        samples = decode_pcm(message.data, message.encoding, message.channels)
        resampler = self._resampler
        if resampler is None or resampler.in_rate_hz != message.sample_rate:
            resampler = Resampler(message.sample_rate)
            self._restart(resampler)
        if gap := self._follow(message.sequence):
            resampler.reset()
            self._restart(resampler)
        # A resampler holds samples back: its next output belongs to an earlier time than its next input.
        behind_s = self._pulled / SAMPLE_RATE_HZ - self._pushed / resampler.in_rate_hz
        given_ns = stamp_ns(message.header.stamp)  # 0: the publisher sets none, samples are counted
        start_ns = given_ns + round(behind_s * NANOSECONDS) if given_ns else self._next_ns
        ready = resampler.push(samples)
        self._pushed += len(samples)
        self._pulled += len(ready)
        self._next_ns = start_ns + len(ready) * SAMPLE_NS
        return AudioChunk(ready, start_ns, discontinuity=gap)

    def _follow(self, sequence: int) -> bool:
        gap = bool(sequence and self._expected and sequence != self._expected)
        if gap:
            self.lost += max(0, sequence - self._expected)
        self._expected = sequence + 1 if sequence else 0
        return gap

    def _restart(self, resampler: Resampler) -> None:
        self._resampler = resampler
        self._pushed = self._pulled = 0


class TopicSource:
    """Subscribes, converts and hands on; nothing here waits."""

    def __init__(
        self, node: LifecycleNode, topic: str, on_bad_chunk: Callable[[AudioFormatError], None]
    ) -> None:
        """Listen to ``topic`` (relative names and remapping work) with ``node``."""
        self._node = node
        self._topic: str = node.resolve_topic_name(topic)
        self._on_bad_chunk = on_bad_chunk
        self._reader = ChunkReader()
        self._sink: AudioSink | None = None
        self._subscription: Any = None
        self._timer: Any = None
        self.frame_id = ""
        self.received = 0  # messages
        self._received_before = 0  # at the last look for publishers
        self.bad = 0  # messages that could not be understood

    @property
    def name(self) -> str:
        """The topic, resolved."""
        return self._topic

    @property
    def lost(self) -> int:
        """Messages that are missing by their sequence."""
        return self._reader.lost

    def start(self, sink: AudioSink) -> None:
        """Subscribe, and keep the quality of service that the publishers offer."""
        self._sink = sink
        self._subscribe(audio_profile(self._publishers()))
        self._timer = self._node.create_timer(MATCH_PERIOD_S, self._match)

    def stop(self) -> None:
        """Unsubscribe."""
        self._sink = None
        if self._timer is not None:
            self._node.destroy_timer(self._timer)
            self._node.destroy_subscription(self._subscription)
            self._timer = self._subscription = None

    def _publishers(self) -> list[Any]:
        return list(self._node.get_publishers_info_by_topic(self._topic))

    def _subscribe(self, profile: Any) -> None:
        self._profile = profile
        self._subscription = self._node.create_subscription(
            AudioChunkMessage, self._topic, self._on_message, profile
        )

    def _match(self) -> None:
        """Follow publishers that came later; a stream that flows is left alone."""
        flows, self._received_before = self.received > self._received_before, self.received
        wanted = audio_profile(self._publishers())
        if wanted.reliability != self._profile.reliability and not flows:
            self._node.destroy_subscription(self._subscription)
            self._subscribe(wanted)

    def _on_message(self, message: AudioChunkMessage) -> None:
        if self._sink is None:
            return
        self.received += 1
        try:
            chunk = self._reader.read(message)
        except AudioFormatError as error:
            self.bad += 1
            self._on_bad_chunk(error)
            return
        self.frame_id = message.header.frame_id
        self._sink.submit(chunk)
