#!/usr/bin/env python3
"""A bot between the ears and the mouth: it answers every final of the recognizer by the action `say`.

    python examples/duplex/echo_bot.py [--ros-args -p reply:=sentences]

It repeats what it heard (`reply:=echo`), or says one recorded sentence after the other (`sentences`), which
needs no text-to-speech engine. docs/duplex.md explains what it must take care of: it acts on finals only,
once per utterance, never on what is marked as its own echo, and a new answer takes the place of the old one.
"""

from __future__ import annotations

import sys
from itertools import cycle
from pathlib import Path
from typing import Any

import rclpy
from parakeet_asr_msgs.action import Say
from parakeet_asr_msgs.msg import Transcript
from rclpy.action import ActionClient
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # the other examples

from report import words
from voices import robot_sentences

REMEMBERED = 100  # ids of utterances that were answered


class EchoBot(Node):
    """Answers."""

    def __init__(self) -> None:
        """Listen on `final`."""
        super().__init__("echo_bot")
        self._repeats = self.declare_parameter("reply", "echo").value == "echo"
        self._sentences = cycle(robot_sentences())
        self._answered: dict[str, None] = {}  # in the order of time
        self._say = ActionClient(self, Say, "say")
        self.create_subscription(Transcript, "final", self._on_final, 10)

    def _on_final(self, message: Any) -> None:
        if message.echo or not words(message.text) or message.utterance_id in self._answered:
            return
        self._answered[message.utterance_id] = None
        if len(self._answered) > REMEMBERED:
            del self._answered[next(iter(self._answered))]
        answer = f"You said: {message.text}" if self._repeats else next(self._sentences)
        self.get_logger().info(answer)
        self._say.send_goal_async(Say.Goal(text=answer))


def main() -> None:
    """Answer until interrupted."""
    rclpy.init()
    node = EchoBot()
    try:
        rclpy.spin(node)
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    finally:
        node.destroy_node()
        rclpy.try_shutdown()


if __name__ == "__main__":
    main()
