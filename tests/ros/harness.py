"""A ROS graph of its own for every test, and conditions with deadlines instead of sleeps."""

from __future__ import annotations

import itertools
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest

REASON = "no ROS 2: source one, or use CPython 3.11 on x86_64 Linux, and run `make test` again"
rclpy = pytest.importorskip("rclpy", reason=REASON)
pytest.importorskip("parakeet_asr_msgs.msg", reason="parakeet_asr_msgs is not built: `make test` does that")

from lifecycle_msgs.msg import Transition  # noqa: E402
from lifecycle_msgs.srv import ChangeState, GetState  # noqa: E402
from parakeet_asr_msgs.msg import AudioChunk, State, Transcript  # noqa: E402
from rclpy.executors import SingleThreadedExecutor  # noqa: E402
from rclpy.lifecycle import TransitionCallbackReturn  # noqa: E402
from rclpy.node import Node  # noqa: E402
from rclpy.parameter import Parameter  # noqa: E402
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy  # noqa: E402
from std_msgs.msg import Bool, String  # noqa: E402

from parakeet_asr.ros.node import AsrNode  # noqa: E402
from parakeet_asr.sources.audio_file import read_audio  # noqa: E402
from sample_list import Sample, read_samples  # noqa: E402

SUCCESS, FAILURE = TransitionCallbackReturn.SUCCESS, TransitionCallbackReturn.FAILURE
LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
BEST_EFFORT = QoSProfile(depth=50, reliability=ReliabilityPolicy.BEST_EFFORT)
RELIABLE = QoSProfile(depth=50)
TIMEOUT_S = 30.0
REMATCH_S = 8.0
SECOND = 1_000_000_000  # nanoseconds
CAPTURED_NS = 1_000_000_000 * SECOND  # 2001-09-09: nothing that a clock could say by accident

__all__ = [
    "ChangeState",
    "GetState",
    "State",
    "Transcript",
    "Transition",
]  # for the tests, which import no ROS

# Other graphs on this machine and in its network are none of a test's business.
if os.environ.get("ROS_DISTRO") == "humble":
    os.environ["ROS_LOCALHOST_ONLY"] = "1"
else:
    os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = "LOCALHOST"
# Fast DDS gives up a participant's shared memory for ever when its watchdog starves on a busy machine.
os.environ.setdefault("FASTDDS_BUILTIN_TRANSPORTS", "UDPv4")
_domains = itertools.cycle(random.sample(range(1, 102), 101))  # higher ones need ports that Linux gives away


def next_domain() -> int:
    """A ROS_DOMAIN_ID that none of the hundred tests before had."""
    return next(_domains)


def sample(name: str) -> Sample:
    """A sample utterance by the stem of its file."""
    return next(s for s in read_samples() if s.path.stem == name)


class Ears:
    """Collects what a recognizer below ``/asr`` publishes."""

    def __init__(self, node: Node) -> None:
        self.finals: list[Transcript] = []
        self.partials: list[Transcript] = []
        self.texts: list[str] = []
        self.activity: list[bool] = []
        self.states: list[State] = []
        node.create_subscription(Transcript, "/asr/final", self.finals.append, 10)
        node.create_subscription(Transcript, "/asr/partial", self.partials.append, 10)
        node.create_subscription(String, "/asr/text", lambda m: self.texts.append(m.data), 10)
        node.create_subscription(Bool, "/asr/speech_activity", lambda m: self.activity.append(m.data), 10)
        node.create_subscription(State, "/asr/state", self.states.append, LATCHED)

    def state(self) -> int:
        """The last state that was heard."""
        return int(self.states[-1].state) if self.states else -1


class Graph:
    """Nodes in a domain of their own, spun by the test itself."""

    def __init__(self) -> None:
        self.domain_id = next_domain()
        self.context = rclpy.Context()
        rclpy.init(context=self.context, domain_id=self.domain_id)
        self.executor = SingleThreadedExecutor(context=self.context)
        self._nodes: list[Node] = []
        self._caller: Node | None = None
        self._clients: dict[str, Any] = {}
        self._contexts = [self.context]

    def node(self, name: str) -> Node:
        """A plain node."""
        return self.add(Node(name, context=self.context))

    def outsider(self, name: str) -> Node:
        """A node that shares nothing with the others, as in another process; for publishers: nobody spins it.

        A participant of DDS cannot have one topic with two types.
        """
        context = rclpy.Context()
        rclpy.init(context=context, domain_id=self.domain_id)
        self._contexts.append(context)
        return Node(name, context=context)

    def recognizer(self, **parameters: Any) -> AsrNode:
        """The node under test in namespace /asr; ``__`` in a name stands for a dot."""
        overrides = [Parameter(name.replace("__", "."), value=value) for name, value in parameters.items()]
        return self.add(AsrNode(context=self.context, namespace="/asr", parameter_overrides=overrides))

    def add(self, node: Any) -> Any:
        """Spin a node with the others and destroy it at the end."""
        self.executor.add_node(node)
        self._nodes.append(node)
        return node

    def client(self, kind: Any, name: str) -> Any:
        """A client of a service, from a node of its own; one per service."""
        if name not in self._clients:
            if self._caller is None:
                self._caller = self.node("caller")
            self._clients[name] = self._caller.create_client(kind, name)
        return self._clients[name]

    def spin_until(self, condition: Callable[[], Any], what: str, timeout_s: float = TIMEOUT_S) -> None:
        """Handle events until the condition holds; fail when it does not in time."""
        end_s = time.monotonic() + timeout_s
        while not condition():
            assert time.monotonic() < end_s, f"after {timeout_s} s still waiting for: {what}"
            self.executor.spin_once(timeout_sec=0.05)

    def close(self) -> None:
        """Destroy everything."""
        for node in self._nodes:
            node.close() if isinstance(node, AsrNode) else node.destroy_node()
        self.executor.shutdown()
        for context in self._contexts:
            rclpy.shutdown(context=context)


class Speaker:
    """Publishes sound on /asr/audio."""

    message_class: Any = AudioChunk

    def __init__(self, graph: Graph, qos: QoSProfile = RELIABLE) -> None:
        self._graph = graph
        self.node = graph.outsider("speaker")
        self._qos = qos
        self._publisher = self.node.create_publisher(self.message_class, "/asr/audio", qos)
        self.sequence = 0

    def wait_for_listener(self) -> None:
        """Until the recognizer subscribed.

        Two participants of one process now and then never match (seen once in some hundred starts on a
        busy machine, with Fast DDS): then the speaker offers its topic anew, as one does that is restarted.
        """
        begun_s = time.monotonic()

        def matched() -> bool:
            nonlocal begun_s
            if self._publisher.get_subscription_count():
                return True
            if time.monotonic() - begun_s > REMATCH_S:
                begun_s = time.monotonic()
                self.node.destroy_publisher(self._publisher)
                self._publisher = self.node.create_publisher(self.message_class, "/asr/audio", self._qos)
            return False

        self._graph.spin_until(matched, "a subscription of the audio topic")

    def say(
        self,
        name: str,
        stamp_ns: int = CAPTURED_NS,
        *,
        encoding: str = "S16LE",
        channels: int = 1,
        rate: int = 16_000,
    ) -> int:
        """Publish a sample and a second of silence after it; the stamp of what follows."""
        sound = np.concatenate([read_audio(sample(name).path), np.zeros(16_000, np.float32)])
        if rate != 16_000:
            import soxr

            sound = soxr.resample(sound, 16_000, rate)
        size = rate // 10
        for start in range(0, len(sound), size):
            piece = np.repeat(sound[start : start + size, None], channels, axis=1)
            self.send(encode(piece, encoding), stamp_ns + start * SECOND // rate, encoding, channels, rate)
        return stamp_ns + len(sound) * SECOND // rate

    def send(
        self, data: bytes, stamp_ns: int, encoding: str = "S16LE", channels: int = 1, rate: int = 16_000
    ) -> None:
        """Publish one chunk."""
        self.sequence += 1
        self._publisher.publish(self.message(data, stamp_ns, encoding, channels, rate))
        self._graph.executor.spin_once(timeout_sec=0)

    def message(self, data: bytes, stamp_ns: int, encoding: str, channels: int, rate: int) -> Any:
        """One chunk as a message; another type of speaker makes another one."""
        message = AudioChunk(sample_rate=rate, channels=channels, encoding=encoding, sequence=self.sequence)
        write_header(message.header, stamp_ns)
        message.data.frombytes(data)
        return message

    def leave(self) -> None:
        """Publish no more, and be seen no more."""
        self.node.destroy_publisher(self._publisher)


def write_header(header: Any, stamp_ns: int) -> None:
    """Stamp and frame."""
    header.stamp.sec, header.stamp.nanosec = divmod(stamp_ns, SECOND)
    header.frame_id = "head_microphone"


def encode(samples: Any, encoding: str) -> bytes:
    """-1..1 to PCM, written apart from the code under test."""
    clipped = np.clip(samples, -1, 0.999)
    if encoding == "U8":
        return (clipped * 128 + 128).astype("u1").tobytes()
    if encoding == "S8":
        return (clipped * 128).astype("i1").tobytes()
    if encoding == "F32LE":
        return clipped.astype("<f4").tobytes()
    bits = {"S16LE": 16, "S32LE": 32}[encoding]
    return (clipped.astype(np.float64) * 2 ** (bits - 1)).astype(f"<i{bits // 8}").tobytes()


def call(graph: Graph, kind: Any, name: str, request: Any) -> Any:
    """Call a service and wait for the answer."""
    client = graph.client(kind, name)
    graph.spin_until(client.service_is_ready, name)
    future = client.call_async(request)
    graph.spin_until(future.done, f"the answer of {name}")
    return future.result()


def start(node: AsrNode) -> None:
    """Configure and activate."""
    assert node.trigger_configure() == SUCCESS
    assert node.trigger_activate() == SUCCESS


def nanoseconds(stamp: Any) -> int:
    """A Time or Duration message."""
    return int(stamp.sec) * SECOND + int(stamp.nanosec)


@contextmanager
def node_process(domain_id: int, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """`asr_node` in namespace /asr, in a process of its own."""
    command = [sys.executable, "-m", "parakeet_asr.ros.node", "--ros-args", "-r", "__ns:=/asr", *arguments]
    environment = {**os.environ, "ROS_DOMAIN_ID": str(domain_id)}
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()
