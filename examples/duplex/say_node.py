#!/usr/bin/env python3
"""A text-to-speech node: action `say` in, sound out on `playback`, as a loudspeaker driver would get it.

    python examples/duplex/say_node.py [--ros-args -p voice:=espeak]

Beside the sound it tells whoever listens what it does: `tts_text` (what it was asked to say) and `speaking`
(std_msgs/Bool). It stops at once when its goal is canceled, when a new goal comes, and on `barge_in`.

A chunk of `playback` is stamped with the time at which the loudspeaker begins to play it, and published
LEAD_S before that.
"""

from __future__ import annotations

import signal
import sys
import threading
import time
from typing import Any

import rclpy
from parakeet_asr_msgs.action import Say
from parakeet_asr_msgs.msg import AudioChunk, BargeIn
from rclpy.action import ActionServer, CancelResponse, GoalResponse
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.executors import MultiThreadedExecutor
from rclpy.node import Node
from rclpy.qos import QoSProfile
from rclpy.signals import SignalHandlerOptions
from std_msgs.msg import Bool, String

from parakeet_asr.records import SAMPLE_RATE_HZ, FloatArray
from parakeet_asr.ros.messages import audio_message
from voices import open_voice

CHUNK_SAMPLES = SAMPLE_RATE_HZ // 50  # 20 ms
LEAD_S = 0.1
END_S = 2.0  # how long the end waits for what is being said
SECOND = 1_000_000_000  # nanoseconds


class SayNode(Node):
    """Speaks one text at a time."""

    def __init__(self) -> None:
        """Offer the action.

        Raises:
            ValueError: there is no such voice.
        """
        super().__init__("say")
        self._voice = open_voice(str(self.declare_parameter("voice", "auto").value))
        self._stops = bool(self.declare_parameter("stop_on_barge_in", True).value)
        self._group = ReentrantCallbackGroup()
        self._playback = self.create_publisher(AudioChunk, "playback", QoSProfile(depth=50))
        self._speaking = self.create_publisher(Bool, "speaking", 10)
        self._text = self.create_publisher(String, "tts_text", 10)
        self._turn = threading.Lock()  # whoever holds it speaks
        self._newest: Any = None  # the goal that came last
        self._stopped: Any = None  # the goal that a barge-in stopped
        self._sequence = 0
        self.closing = False  # the process ends
        self.create_subscription(BargeIn, "barge_in", self._on_barge_in, 10, callback_group=self._group)
        self._server = ActionServer(
            self,
            Say,
            "say",
            self._execute,
            goal_callback=lambda goal: GoalResponse.ACCEPT if goal.text.strip() else GoalResponse.REJECT,
            handle_accepted_callback=self._accept,
            cancel_callback=lambda _goal: CancelResponse.ACCEPT,
            callback_group=self._group,
        )

    def _accept(self, goal: Any) -> None:
        self._newest = goal
        goal.execute()

    def _on_barge_in(self, message: Any) -> None:
        if self._stops and self._newest is not None:
            self.get_logger().info(f"interrupted, confidence {message.confidence:.2f}")
            self._stopped = self._newest

    def _interrupted(self, goal: Any) -> bool:
        return bool(self.closing or goal.is_cancel_requested or goal is self._stopped)

    def _execute(self, goal: Any) -> Any:
        result = Say.Result(outcome=Say.Result.DONE)
        with self._turn:
            try:
                sound = self._voice.speak(goal.request.text)
            except ValueError as error:
                self.get_logger().error(str(error))
                result.outcome, result.message = Say.Result.ERROR, str(error)
                goal.abort()
                return result
            said = self._play(goal, sound)
        _write_duration(result.said, said)
        if said == len(sound):
            goal.succeed()
            return result
        result.outcome, result.message = Say.Result.INTERRUPTED, "stopped before the end"
        (goal.canceled if goal.is_cancel_requested else goal.abort)()
        return result

    def _play(self, goal: Any, sound: FloatArray) -> int:
        """Hand the sound to the loudspeaker at its speed; how many samples it got."""
        self._text.publish(String(data=goal.request.text))
        self._speaking.publish(Bool(data=True))
        begin_ns = self.get_clock().now().nanoseconds + round(LEAD_S * SECOND)
        position = 0
        try:
            while position < len(sound) and not self._interrupted(goal):
                chunk = sound[position : position + CHUNK_SAMPLES]
                self._publish(chunk, begin_ns + position * SECOND // SAMPLE_RATE_HZ)
                position += len(chunk)
                self._wait_until(begin_ns + position * SECOND // SAMPLE_RATE_HZ - round(LEAD_S * SECOND))
            if position == len(sound):  # until the loudspeaker is done
                self._wait_until(begin_ns + position * SECOND // SAMPLE_RATE_HZ)
        finally:
            self._speaking.publish(Bool(data=False))
        return position

    def _wait_until(self, time_ns: int) -> None:
        time.sleep(max(0.0, (time_ns - self.get_clock().now().nanoseconds) / SECOND))

    def _publish(self, samples: FloatArray, stamp_ns: int) -> None:
        self._sequence += 1
        self._playback.publish(audio_message(samples, stamp_ns, sequence=self._sequence))


def _write_duration(duration: Any, samples: int) -> None:
    duration.sec, duration.nanosec = divmod(samples * SECOND // SAMPLE_RATE_HZ, SECOND)


def main() -> None:
    """Speak until interrupted; what is being said is ended before the node is."""
    rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
    over = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: over.set())
    try:
        node = SayNode()
    except ValueError as error:
        rclpy.shutdown()
        sys.exit(f"say_node: {error}")
    executor = MultiThreadedExecutor(num_threads=4)
    executor.add_node(node)
    spinner = threading.Thread(target=executor.spin, daemon=True)
    spinner.start()
    over.wait()
    node.closing = True
    executor.shutdown(END_S)
    spinner.join(END_S)
    node.destroy_node()
    rclpy.shutdown()


if __name__ == "__main__":
    main()
