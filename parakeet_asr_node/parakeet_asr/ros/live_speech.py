"""What is heard as REP-155 (ROS4HRI) wants it: a voice below /humans, for robots that have hri_msgs."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from parakeet_asr_msgs.msg import Transcript
from rclpy.lifecycle import LifecycleNode
from std_msgs.msg import Bool

from parakeet_asr.errors import ConfigurationError
from parakeet_asr.ros.qos import STATE, TRANSCRIPTS

VOICES = "/humans/voices"
_LANGUAGE_FIELDS = ("locale", "language")  # older and newer hri_msgs call it differently


class LiveSpeech:
    """Publishes one voice from activate to deactivate; hears what the action hears."""

    def __init__(self, node: LifecycleNode, voice_id: str) -> None:
        """Let the voice appear.

        Args:
            node: publishes.
            voice_id: its REP-155 identifier.

        Raises:
            ConfigurationError: hri_msgs is not installed.
        """
        try:
            messages = import_module("hri_msgs.msg")
        except ImportError as error:
            raise ConfigurationError(
                f"live_speech.voice_id: {voice_id!r} needs the package hri_msgs where the node runs "
                f"(apt install ros-$ROS_DISTRO-hri-msgs), or leave it empty: {error}"
            ) from error
        self._node = node
        self._kind: Any = messages.LiveSpeech
        self._ids: Any = messages.IdsList
        topic = f"{VOICES}/{voice_id}"
        self._speech = node.create_publisher(self._kind, f"{topic}/speech", TRANSCRIPTS)
        self._is_speaking = node.create_publisher(Bool, f"{topic}/is_speaking", TRANSCRIPTS)
        self._tracked = node.create_publisher(self._ids, f"{VOICES}/tracked", STATE)
        self._show([voice_id])

    def hear(self, event: bool | Transcript) -> None:
        """Speech began or ended, or a transcript came; on the worker's thread."""
        if isinstance(event, bool):
            self._is_speaking.publish(Bool(data=event))
            return
        message = self._kind(header=event.header)
        if event.is_final:
            message.final, message.confidence = event.text, float(event.confidence)
        else:
            message.incremental = event.text
        for field in _LANGUAGE_FIELDS:
            if hasattr(message, field):
                setattr(message, field, event.language)
        self._speech.publish(message)

    def close(self) -> None:
        """Let the voice vanish."""
        if self._node.context.ok():
            self._show([])
        for publisher in (self._speech, self._is_speaking, self._tracked):
            self._node.destroy_publisher(publisher)

    def _show(self, ids: list[str]) -> None:
        message = self._ids(ids=ids)
        message.header.stamp = self._node.get_clock().now().to_msg()
        self._tracked.publish(message)
