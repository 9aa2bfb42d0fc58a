"""The stage: a microphone in a simulated room, people who speak there, and somebody who writes all down."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from parakeet_asr_msgs.action import Say
from parakeet_asr_msgs.msg import AudioChunk, BargeIn, State, Transcript
from rclpy.action import ActionClient
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile
from std_msgs.msg import String

from acoustics import Microphone, Room
from parakeet_asr.records import SAMPLE_RATE_HZ, FloatArray
from parakeet_asr.ros.messages import audio_message

CHUNK_SAMPLES = SAMPLE_RATE_HZ // 20  # 50 ms
SECOND = 1_000_000_000  # nanoseconds


@dataclass(slots=True)
class Records:
    """What came out of the recognizer, with the time at which it arrived (sample of the stage)."""

    finals: list[tuple[int, Any]] = field(default_factory=list)
    partials: list[tuple[int, Any]] = field(default_factory=list)
    barge_ins: list[tuple[int, Any]] = field(default_factory=list)
    states: list[tuple[int, int]] = field(default_factory=list)
    troubles: list[str] = field(default_factory=list)  # what it said of its errors
    texts: list[tuple[int, str]] = field(default_factory=list)  # what the robot was asked to say


class Stage(Node):
    """Publishes the microphone in real time from :meth:`open` to :meth:`close`. Samples count from open."""

    def __init__(self, room: Room, namespace: str = "/asr", name: str = "stage", **options: Any) -> None:
        """Build the room; ``options`` are those of a node."""
        super().__init__(name, **options)
        self.microphone = Microphone(room)
        self.records = Records()
        self.origin_ns = 0
        self.position = 0  # samples that were recorded
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._record, name="microphone", daemon=True)
        self._closing = threading.Event()
        self._audio = self.create_publisher(AudioChunk, f"{namespace}/audio", QoSProfile(depth=50))
        self.say = ActionClient(self, Say, "say")
        latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        records = self.records
        self.create_subscription(AudioChunk, "playback", self._on_playback, QoSProfile(depth=200))
        for kind, topic, rows, qos in (
            (Transcript, "final", records.finals, 10),
            (Transcript, "partial", records.partials, 10),
            (BargeIn, "barge_in", records.barge_ins, 10),
        ):
            self.create_subscription(kind, f"{namespace}/{topic}", _appender(self, rows), qos)
        self.create_subscription(String, "tts_text", lambda m: records.texts.append((self.now(), m.data)), 10)
        self.create_subscription(State, f"{namespace}/state", self._on_state, latched)

    @property
    def listened_to(self) -> bool:
        """Whether a recognizer listens."""
        return bool(self._audio.get_subscription_count())

    def open(self) -> None:
        """Begin to record."""
        self.origin_ns = time.time_ns()
        self._thread.start()

    def close(self) -> None:
        """Record no more."""
        self._closing.set()
        if self._thread.is_alive():
            self._thread.join()

    def now(self) -> int:
        """The sample of the present."""
        return self.sample(time.time_ns())

    def sample(self, stamp_ns: int) -> int:
        """The sample that is captured at a time."""
        return (stamp_ns - self.origin_ns) * SAMPLE_RATE_HZ // SECOND

    def person_says(self, samples: FloatArray, start: int) -> int:
        """A person speaks from sample ``start`` on, or now if that is over; when it really began."""
        with self._lock:
            start = max(start, self.position)
            self.microphone.person_says(samples, start)
        return start

    @property
    def robot_spans(self) -> list[tuple[int, int]]:
        """When the loudspeaker sounded, in samples."""
        with self._lock:
            return [(first, last) for first, last in self.microphone.robot_spans]

    def _on_state(self, message: Any) -> None:
        self.records.states.append((self.now(), message.state))
        if message.state == State.ERROR:
            self.records.troubles.append(message.text)

    def _on_playback(self, message: Any) -> None:
        stamp_ns = message.header.stamp.sec * SECOND + message.header.stamp.nanosec
        sound = np.frombuffer(bytes(message.data), "<i2").astype(np.float32) / np.float32(32768)
        with self._lock:
            self.microphone.play(sound, self.sample(stamp_ns))

    def _record(self) -> None:
        while not self._closing.is_set():
            due_ns = self.origin_ns + (self.position + CHUNK_SAMPLES) * SECOND // SAMPLE_RATE_HZ
            if self._closing.wait(max(0.0, (due_ns - time.time_ns()) / SECOND)):
                return
            with self._lock:
                sound = self.microphone.record(self.position, self.position + CHUNK_SAMPLES)
                stamp_ns = self.origin_ns + self.position * SECOND // SAMPLE_RATE_HZ
                self.position += CHUNK_SAMPLES
            self._publish(sound, stamp_ns)

    def _publish(self, sound: FloatArray, stamp_ns: int) -> None:
        if self.context.ok():
            self._audio.publish(audio_message(sound, stamp_ns, frame_id="microphone"))


def _appender(stage: Stage, rows: list[tuple[int, Any]]) -> Any:
    return lambda message: rows.append((stage.now(), message))
