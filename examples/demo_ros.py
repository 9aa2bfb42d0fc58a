"""The demo on ROS 2: start the node and the publisher, and show what comes back."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import rclpy
from parakeet_asr_msgs.msg import State, Transcript
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile

from report import Heard
from sample_list import read_samples

ROOT = Path(__file__).resolve().parent.parent
PRE_ROLL_S = 0.5  # an utterance may begin this much before its sample does
LAST_FINAL_S = 5.0  # how long the last transcript may take
NANOSECONDS = 1_000_000_000


def run_ros() -> list[Heard]:
    """Play all samples to the node; what was heard of each."""
    # A domain of our own on this machine only: no other robot hears the demo, and the demo hears no other.
    os.environ["ROS_DOMAIN_ID"] = str(random.randint(1, 101))  # noqa: S311  # no secret
    os.environ.setdefault(*localhost())
    node_command = ["-m", "parakeet_asr.ros.node", "--ros-args", "-r", "__ns:=/asr"]
    node_command += ["--params-file", str(ROOT / "config/asr.yaml"), "--log-level", "warn"]
    node_command += ["-p", "autostart:=true"]  # after the file, which says false
    publisher_command = [str(ROOT / "examples/audio_publisher.py"), "--ros-args", "-r", "audio:=/asr/audio"]
    print("starting the node and the publisher; latency and text of every final transcript:", flush=True)
    rclpy.init()
    listener = Listener()
    try:
        with process(node_command) as node, process(publisher_command, stdout=subprocess.PIPE) as publisher:
            reader = threading.Thread(target=listener.follow, args=(publisher.stdout,), daemon=True)
            reader.start()
            listener.spin_while(lambda: publisher.poll() is None and node.poll() is None)
            reader.join()
            deadline_s = time.monotonic() + LAST_FINAL_S
            listener.spin_while(lambda: not listener.complete() and time.monotonic() < deadline_s)
    except KeyboardInterrupt:
        print()
    finally:
        listener.destroy_node()
        rclpy.try_shutdown()
    return list(listener.utterances.values())


def localhost() -> tuple[str, str]:
    """The variable, and its value, that keeps ROS 2 on this machine."""
    if os.environ.get("ROS_DISTRO") == "humble":
        return "ROS_LOCALHOST_ONLY", "1"
    return "ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST"


@contextmanager
def process(command: list[str], **options: Any) -> Iterator[subprocess.Popen[str]]:
    """Run a Python program and end it politely."""
    started = subprocess.Popen([sys.executable, *command], text=True, start_new_session=True, **options)
    try:
        yield started
    finally:
        if started.poll() is None:
            started.send_signal(signal.SIGINT)
        try:
            started.wait(10)
        except subprocess.TimeoutExpired:
            started.kill()
            started.wait()


class Listener(Node):
    """Shows transcripts as they come, and keeps the finals."""

    def __init__(self) -> None:
        """Subscribe."""
        super().__init__("demo")
        self.utterances = {
            sample.path.name: Heard(sample.path.name, sample.text, sample.duration_s)
            for sample in read_samples()
        }
        self._starts: list[tuple[int, str]] = []  # when each sample began, nanoseconds, and its name
        self._terminal = sys.stdout.isatty()
        latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        self.create_subscription(State, "/asr/state", self._on_state, latched)
        self.create_subscription(Transcript, "/asr/partial", self._on_partial, 10)
        self.create_subscription(Transcript, "/asr/final", self._on_final, 10)

    def follow(self, lines: Any) -> None:
        """Note when each sample begins, as the publisher says it."""
        for line in lines:
            row = json.loads(line)
            self._starts.append((row["start_ns"], row["audio"]))

    def spin_while(self, condition: Any) -> None:
        """Handle messages as long as ``condition()`` holds."""
        while condition():
            rclpy.spin_once(self, timeout_sec=0.1)

    def complete(self) -> bool:
        """Whether something was heard of the sample that came last."""
        return list(self.utterances.values())[-1].latency_s is not None

    def _on_state(self, message: State) -> None:
        if message.state == State.LOADING:
            print(f"loading model {message.text}", flush=True)
        elif message.state == State.ERROR:
            print(f"the node reports an error: {message.text}", flush=True)

    def _on_partial(self, message: Transcript) -> None:
        if self._terminal:
            print(f"\r\x1b[K          {message.text}", end="", flush=True)

    def _on_final(self, message: Transcript) -> None:
        latency_s = message.latency.sec + message.latency.nanosec / NANOSECONDS
        erase = "\r\x1b[K" if self._terminal else ""
        print(f"{erase}{1e3 * latency_s:6.0f} ms  {message.text}", flush=True)
        stamp_ns = message.header.stamp.sec * NANOSECONDS + message.header.stamp.nanosec
        begun = [name for start_ns, name in self._starts if start_ns <= stamp_ns + PRE_ROLL_S * NANOSECONDS]
        if begun:
            heard = self.utterances[begun[-1]]
            heard.text = f"{heard.text} {message.text}".strip()
            heard.latency_s = latency_s
