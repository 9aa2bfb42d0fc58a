#!/usr/bin/env python3
"""Play the sound of a rosbag2 recording to the recognizer, losing none of it however fast it is played.

    pip install rosbags
    python examples/bag_player.py BAG [--topic /microphone] [--to /asr/audio] [--node /asr/parakeet_asr]
                                      [--rate 1] [--clock]

``ros2 bag play`` knows nothing of who listens: played fast it overruns everybody. This player looks at the
node's /diagnostics and waits while the node has much to do; ``--rate 0`` is as fast as the recognizer.
Messages are published as they were recorded, stamps included, so that transcripts have the times of the
recording, and are the same ones each time. ``--clock`` publishes the time of the recording on /clock as well,
for other nodes that use simulated time. At the end what was said last is finalized, and one JSON line tells
how much was played and lost.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from parakeet_asr_msgs.srv import Finalize
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import QoSProfile
from rosbags.rosbag2 import Reader
from rosgraph_msgs.msg import Clock

IN_FLIGHT = 20  # messages that the node has not seen yet; its subscription holds 50
WAITING_S = 5.0  # sound that waits in the node's queue, which holds audio.capacity_s
TIMEOUT_S = 120.0
SECOND_NS = 1_000_000_000


class BagPlayer(Node):
    """Publishes one topic of a recording."""

    def __init__(self, kind: str, topic: str, listener: str, publish_clock: bool) -> None:
        """Publish messages of type ``kind`` on ``topic`` for the node called ``listener``."""
        super().__init__("bag_player")
        package, _, name = kind.split("/")
        message_class = getattr(import_module(f"{package}.msg"), name)
        self._publisher = self.create_publisher(message_class, topic, QoSProfile(depth=50))
        self._clock_publisher = self.create_publisher(Clock, "/clock", 10) if publish_clock else None
        self._listener = listener
        self.create_subscription(DiagnosticArray, "/diagnostics", self._on_diagnostics, 10)
        self._finalize = self.create_client(Finalize, f"{listener}/finalize")
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self)
        self._values: dict[str, str] = {}
        self._looks = 0  # diagnostics that came
        self._seen_before = 0.0  # messages that the node had seen before the first one of ours
        self.published = 0

    def play(self, messages: Sequence[tuple[int, bytes]], rate: float) -> dict[str, Any]:
        """Publish (time, message) pairs, and wait until all of them were recognized.

        Args:
            messages: with the nanoseconds at which they were recorded.
            rate: 1 = at the speed of sound; 0 = as fast as the node is.
        """
        self._wait(lambda: self._publisher.get_subscription_count() > 0, "the node to listen")
        self._wait(lambda: "messages" in self._values, f"diagnostics of {self._listener}, active")
        self._seen_before = self._number("messages")
        began_s, first_ns = time.monotonic(), messages[0][0]
        for stamp_ns, data in messages:
            due_s = began_s + (stamp_ns - first_ns) / SECOND_NS / rate if rate else 0.0
            self._wait(partial(self._may_go_on, due_s), "the node to keep up")
            if self._clock_publisher is not None:
                clock = Clock()
                clock.clock.sec, clock.clock.nanosec = divmod(stamp_ns, SECOND_NS)
                self._clock_publisher.publish(clock)
            self._publisher.publish(data)
            self.published += 1
        self._wait(lambda: self._in_flight() <= 0, "the node to get everything")
        self._finish()
        return {
            "messages": self.published,
            "wall_s": round(time.monotonic() - began_s, 3),
            "dropped_s": self._number("dropped (s)"),
            "lost_messages": self._number("lost messages"),
            "gaps": self._number("gaps"),
        }

    def _finish(self) -> None:
        """End the open utterance, and wait until the node has nothing to do any more."""
        self._wait(self._finalize.service_is_ready, f"{self._listener}/finalize")
        answer = self._finalize.call_async(Finalize.Request())
        self._wait(answer.done, "the answer of finalize")
        looks = self._looks
        self._wait(lambda: self._looks > looks + 1 and self._number("queue (s)") == 0, "an empty queue")

    def _may_go_on(self, due_s: float) -> bool:
        keeps_up = self._in_flight() < IN_FLIGHT and self._number("queue (s)") < WAITING_S
        return keeps_up and time.monotonic() >= due_s

    def _in_flight(self) -> float:
        return self.published - (self._number("messages") - self._seen_before)

    def _number(self, name: str) -> float:
        return float(self._values.get(name, 0.0))

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        for status in message.status:
            if status.name in (f"{self._listener}: input", f"{self._listener}: worker"):
                self._values.update((entry.key, entry.value) for entry in status.values)
                self._looks += status.name.endswith("worker")

    def _wait(self, condition: Callable[[], bool], what: str) -> None:
        end_s = time.monotonic() + TIMEOUT_S
        while not condition():
            if time.monotonic() > end_s:
                raise TimeoutError(f"after {TIMEOUT_S:.0f} s still waiting for {what}")
            self._executor.spin_once(timeout_sec=0.01)


def read(bag: Path, topic: str) -> tuple[str, list[tuple[int, bytes]]]:
    """The type and the messages of a topic; the only one of the recording when ``topic`` is empty."""
    with Reader(bag) as reader:
        found = [c for c in reader.connections if topic in ("", c.topic)]
        if len(found) != 1:
            there = ", ".join(sorted(c.topic for c in reader.connections)) or "nothing"
            sys.exit(f"bag_player: expected one topic {topic or '(any)'}, the recording has {there}")
        return found[0].msgtype, [(stamp, bytes(data)) for _, stamp, data in reader.messages(found)]


def main() -> None:
    """Play once."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("bag", type=Path, help="folder of the recording")
    parser.add_argument("--topic", default="", help="of the recording; needed when it has several")
    parser.add_argument("--to", default="/asr/audio", help="topic to publish on")
    parser.add_argument("--node", default="/asr/parakeet_asr", help="the recognizer's name")
    parser.add_argument(
        "--rate", type=float, default=1.0, help="1 = the speed of sound, 0 = as fast as it goes"
    )
    parser.add_argument(
        "--clock", action="store_true", help="publish the time of the recording on /clock, too"
    )
    arguments = parser.parse_args(rclpy.utilities.remove_ros_args(sys.argv)[1:])
    kind, messages = read(arguments.bag, arguments.topic)
    if not messages:
        sys.exit("bag_player: the topic has no messages")
    rclpy.init()
    player = BagPlayer(kind, arguments.to, arguments.node, arguments.clock)
    try:
        print(json.dumps(player.play(messages, arguments.rate)), flush=True)
    except TimeoutError as error:
        sys.exit(f"bag_player: {error}")
    finally:
        player.destroy_node()
        rclpy.try_shutdown()


if __name__ == "__main__":
    main()
