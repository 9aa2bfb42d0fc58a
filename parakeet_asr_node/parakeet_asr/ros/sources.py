"""The parameters' choice of a source, made."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from rclpy.lifecycle import LifecycleNode
from rclpy.qos import QoSProfile
from rosgraph_msgs.msg import Clock

from parakeet_asr.ros.audio_readers import Declared
from parakeet_asr.ros.audio_topic import TopicObserver, TopicSource
from parakeet_asr.ros.messages import time_message
from parakeet_asr.ros.parameters import Values
from parakeet_asr.sources.file_player import FilePlayer
from parakeet_asr.sources.microphone import MicrophoneSource
from parakeet_asr.sources.source import AudioSource


def make_source(
    node: LifecycleNode,
    values: Values,
    observer: TopicObserver,
    on_file_end: Callable[[Exception | None], None],
) -> AudioSource:
    """Make what ``audio.source`` names; :meth:`AudioSource.start` opens it.

    Args:
        node: subscribes, and has the clock of the stamps.
        values: all parameters, checked.
        observer: is told how the source fares.
        on_file_end: is called when a file is over, with the error that ended it early.
    """
    frame_id = str(values["audio.frame_id"])

    def now_ns() -> int:
        return int(node.get_clock().now().nanoseconds)

    if values["audio.source"] == "topic":
        type_name = str(values["audio.topic_type"])
        return TopicSource(
            node, "audio", observer, type_name=type_name, declared=declared(values), frame_id=frame_id
        )
    if values["audio.source"] == "microphone":
        return MicrophoneSource(
            str(values["audio.device"]),
            channel=int(values["audio.channel"]),
            frame_id=frame_id,
            now_ns=now_ns,
            observer=observer,
        )
    options: dict[str, Any] = {
        "realtime": bool(values["audio.realtime"]),
        "now_ns": now_ns,
        "on_end": on_file_end,
        "frame_id": frame_id,
    }
    path = Path(str(values["audio.file"])).expanduser()
    if values["audio.publish_clock"]:
        return ClockedFilePlayer(node, path, **options)
    return FilePlayer(path, **options)


def declared(values: Values) -> Declared:
    """What the parameters say of sound that does not describe itself."""
    return Declared(
        encoding=str(values["audio.encoding"]),
        channels=int(values["audio.channels"]),
        sample_rate_hz=int(values["audio.sample_rate"]),
        channel=int(values["audio.channel"]),
    )


class ClockedFilePlayer(FilePlayer):
    """Plays a file and publishes its time on /clock, for nodes that use simulated time."""

    def __init__(self, node: LifecycleNode, path: Path, **options: Any) -> None:
        """See :class:`FilePlayer`; ``node`` publishes."""
        super().__init__(path, on_time=self._publish, **options)
        self._node = node
        self._publisher: Any = node.create_publisher(Clock, "/clock", QoSProfile(depth=10))

    def stop(self) -> None:
        """Stop playing and let the clock go."""
        super().stop()
        self._node.destroy_publisher(self._publisher)

    def _publish(self, time_ns: int) -> None:
        if self._node.context.ok():
            self._publisher.publish(Clock(clock=time_message(time_ns)))
