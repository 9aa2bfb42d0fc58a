"""Witnesses of the robot's own speech that are messages: an action's status, a Bool, a text.

Each tells a :class:`Testimony` when the robot begins and ends to speak, by the node's clock, and, as long as
the process that said so is still there, that this still holds. Whether to believe it is the timeline's
business (core/duplex/speaking.py).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Protocol

from action_msgs.msg import GoalStatus, GoalStatusArray
from rclpy.lifecycle import LifecycleNode
from rclpy.qos import QoSProfile
from std_msgs.msg import Bool, String

from parakeet_asr.ros.messages import stamp_ns
from parakeet_asr.ros.qos import STATE

SPEAKING_STATUS = (GoalStatus.STATUS_EXECUTING, GoalStatus.STATUS_CANCELING)
INTERRUPTED_STATUS = (GoalStatus.STATUS_CANCELED, GoalStatus.STATUS_ABORTED)
ACCEPTED_S = 2.0  # a goal that was accepted longer ago began to be executed only now
ANY = QoSProfile(depth=10)  # reliable and volatile: what publishers of Bool and String usually offer


class Testimony(Protocol):
    """What witnesses say; ``parakeet_asr.core.duplex.speaking.SpeakingTimeline`` understands it."""

    def began(self, witness: str, stamp_ns: int) -> None:
        """The robot speaks from this time on."""
        ...

    def ended(self, witness: str, stamp_ns: int) -> None:
        """The robot is silent from this time on."""
        ...

    def heartbeat(self, witness: str, stamp_ns: int) -> None:
        """What the witness said last still holds at this time."""
        ...


class Presence:
    """Whether any of the processes that said something is still in the graph."""

    def __init__(self, node: LifecycleNode, topic: str) -> None:
        """Watch the publishers of ``topic``, a resolved name."""
        self._node = node
        self._topic = topic
        self._present: frozenset[bytes] = frozenset()

    def remember(self) -> None:
        """What was said now was said by one of those who publish now."""
        self._present = self._publishers()

    def holds(self) -> bool:
        """Whether one of them is still there; who came later does not count."""
        now = self._publishers()
        self._present = self._present & now if self._present else now
        return bool(self._present)

    def _publishers(self) -> frozenset[bytes]:
        infos = self._node.get_publishers_info_by_topic(self._topic)
        return frozenset(bytes(info.endpoint_gid) for info in infos)


class TopicWitness:
    """What both kinds have in common: said once, repeated while it holds."""

    name = ""

    def __init__(
        self,
        node: LifecycleNode,
        topic: str,
        testimony: Testimony,
        now_ns: Callable[[], int],
        longest_s: float,
    ) -> None:
        """Watch ``topic``.

        Args:
            node: subscribes.
            topic: a name, relative ones are in the node's namespace.
            testimony: is told.
            now_ns: the clock of the audio's stamps, nanoseconds.
            longest_s: for how long it is vouched for what was said once; after that its source hangs.
        """
        self._node = node
        self._testimony = testimony
        self._now_ns = now_ns
        self._longest_s = longest_s
        self.speaking = False  # what it said last
        self._said_s = 0.0  # time.monotonic
        self.topic: str = node.resolve_topic_name(topic)
        self._presence = Presence(node, self.topic)
        self._subscription: Any = None

    def stop(self) -> None:
        """Listen no more."""
        if self._subscription is not None:
            self._node.destroy_subscription(self._subscription)
            self._subscription = None

    def vouch(self) -> None:
        """Say again what still holds; to be called several times per ``duplex.watchdog_s``."""
        if self.speaking and time.monotonic() - self._said_s <= self._longest_s and self._presence.holds():
            self._testimony.heartbeat(self.name, self._now_ns())

    def _say(self, speaking: bool, stamp: int) -> None:
        before, self.speaking = self.speaking, speaking
        if speaking:  # also when it is said again: who says so is alive and means it
            self._said_s = time.monotonic()
            self._presence.remember()
        if speaking and before:
            self._testimony.heartbeat(self.name, self._now_ns())
        elif speaking:
            self._testimony.began(self.name, stamp)
        elif before:
            self._testimony.ended(self.name, stamp)


class ActionWitness(TopicWitness):
    """The robot speaks while a goal of an action is being executed; any action, its type is not needed."""

    name = "action"

    def __init__(
        self,
        node: LifecycleNode,
        action: str,
        testimony: Testimony,
        now_ns: Callable[[], int],
        longest_s: float,
        on_interrupted: Callable[[int], None],
    ) -> None:
        """Watch ``action``; see :class:`TopicWitness`.

        ``on_interrupted`` is called with the time at which a goal ended before it was reached.
        """
        super().__init__(node, f"{action}/_action/status", testimony, now_ns, longest_s)
        self._on_interrupted = on_interrupted
        self._accepted: set[bytes] = set()  # goals that were seen waiting
        self.goals: tuple[bytes, ...] = ()  # ids of those that are being executed
        self._subscription = node.create_subscription(GoalStatusArray, self.topic, self.on_status, STATE)

    def on_status(self, message: Any) -> None:
        """The goals of the action and what they do now."""
        running = [status for status in message.status_list if status.status in SPEAKING_STATUS]
        before = self.goals
        self.goals = tuple(bytes(status.goal_info.goal_id.uuid) for status in running)
        if running:
            self._say(True, min(self._start_ns(status.goal_info) for status in running))
        else:
            now_ns = self._now_ns()
            self._say(False, now_ns)
            ends = {bytes(s.goal_info.goal_id.uuid): s.status for s in message.status_list}
            if any(ends.get(goal) in INTERRUPTED_STATUS for goal in before):
                self._on_interrupted(now_ns)
        self._accepted = {
            bytes(status.goal_info.goal_id.uuid)
            for status in message.status_list
            if status.status == GoalStatus.STATUS_ACCEPTED
        }

    def _start_ns(self, goal_info: Any) -> int:
        """When it began to be executed: its acceptance, unless it waited or the server's clock is another."""
        now_ns = self._now_ns()
        accepted_ns = stamp_ns(goal_info.stamp)
        waited = bytes(goal_info.goal_id.uuid) in self._accepted
        if waited or not 0 <= now_ns - accepted_ns <= ACCEPTED_S * 1e9:
            return now_ns
        return accepted_ns


class BoolWitness(TopicWitness):
    """The robot speaks while a ``std_msgs/Bool`` is true."""

    name = "topic"

    def __init__(self, node: LifecycleNode, topic: str, *rest: Any) -> None:
        """Watch ``topic``; see :class:`TopicWitness` for the rest."""
        super().__init__(node, topic, *rest)
        self._subscription = node.create_subscription(
            Bool, self.topic, lambda message: self._say(message.data, self._now_ns()), ANY
        )


class TextWitness:
    """What a text-to-speech node was asked to say (``std_msgs/String``); nothing says when it is over."""

    def __init__(self, node: LifecycleNode, topic: str, on_text: Callable[[str], None]) -> None:
        """Give every text that is not empty to ``on_text``."""
        self._node = node
        self.topic: str = node.resolve_topic_name(topic)
        self._subscription: Any = node.create_subscription(
            String, self.topic, lambda message: on_text(message.data) if message.data.strip() else None, ANY
        )

    def stop(self) -> None:
        """Listen no more."""
        self._node.destroy_subscription(self._subscription)
