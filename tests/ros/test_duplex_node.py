"""The node of a robot that talks: what is gated, by whom, and what can be changed while it listens."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest

from harness import (
    CAPTURED_NS,
    SECOND,
    Ears,
    Graph,
    Parameter,
    Speaker,
    State,
    call,
    encode,
    start,
    write_header,
)

FIRST, SECOND_ONE = "synth-a-135", "synth-a-010"
FIRST_TEXT, SECOND_TEXT = "Go to room forty ninety.", "Remind me in thirty minutes to call Sarah."


class Robot:
    """The node, somebody who speaks to it, and a robot's mouth."""

    def __init__(self, graph: Graph, **parameters: Any) -> None:
        self.graph = graph
        self.ears = Ears(graph.node("ears"))
        self.mouth = graph.outsider("mouth")
        self.node = graph.recognizer(**parameters)
        self.speaker = Speaker(graph)
        start(self.node)
        self.speaker.wait_for_listener()

    def now_ns(self) -> int:
        return int(self.node.get_clock().now().nanoseconds)

    def publisher(self, kind: Any, topic: str) -> Any:
        publisher = self.mouth.create_publisher(kind, topic, 50)
        self.graph.spin_until(publisher.get_subscription_count, f"a listener of {topic}")
        return publisher

    def wait_for_texts(self, *texts: str) -> None:
        """Until so many finals came; they say this and nothing else."""
        finals = self.ears.finals
        self.graph.spin_until(lambda: len(finals) >= len(texts), "the finals")
        assert [message.text for message in finals] == list(texts)

    def wait_for_state(self, state: int) -> None:
        self.graph.spin_until(lambda: state in [s.state for s in self.ears.states], f"state {state}")


def test_what_is_captured_while_the_robot_speaks_is_not_heard(graph: Graph) -> None:
    """By the node's clock, a simulated one; the mode is changed while it listens."""
    from rosgraph_msgs.msg import Clock
    from std_msgs.msg import Bool

    robot = Robot(graph, use_sim_time=True, duplex__speaking_topic="/speaking", duplex__watchdog_s=60.0)
    speaking, clock = robot.publisher(Bool, "/speaking"), robot.publisher(Clock, "/clock")

    def flag(value: bool, at_s: int) -> int:
        """Say whether the robot speaks, at a time."""
        at_ns = CAPTURED_NS + at_s * SECOND
        message = Clock()
        message.clock.sec = at_ns // SECOND
        clock.publish(message)
        graph.spin_until(lambda: robot.now_ns() == at_ns, "the time")
        speaking.publish(Bool(data=value))
        graph.spin_until(lambda: bool(robot.node.listener.hearing.duplex.speaking) == value, "the flag")
        return at_ns

    robot.speaker.say(FIRST, flag(True, 0))
    robot.wait_for_texts(FIRST_TEXT)  # mode none
    (result,) = robot.node.set_parameters([Parameter("duplex.mode", value="gate")])
    assert result.successful
    robot.speaker.say(SECOND_ONE, CAPTURED_NS + 4 * SECOND)
    robot.wait_for_state(State.GATED)
    robot.speaker.say(FIRST, flag(False, 10) + SECOND // 3)
    robot.wait_for_texts(FIRST_TEXT, FIRST_TEXT)
    graph.spin_until(lambda: robot.ears.state() == State.LISTENING, "that it listens")


def test_what_a_person_said_before_the_robot_began_is_heard_though_that_is_said_late(graph: Graph) -> None:
    from parakeet_asr_msgs.msg import AudioChunk

    robot = Robot(graph, duplex__mode="gate", duplex__playback_topic="/playback")
    playback = robot.publisher(AudioChunk, "/playback")
    begin_ns = robot.now_ns()
    began_ns = robot.speaker.say(FIRST, begin_ns) - SECOND // 2  # within the silence after it
    sound = encode(0.3 * np.sin(np.arange(4 * 16_000) / 5.0), "S16LE")  # 4 s, handed over at once
    message = AudioChunk(sample_rate=16_000, channels=1, encoding="S16LE", sequence=1)
    write_header(message.header, began_ns)
    message.data.frombytes(sound)
    playback.publish(message)
    robot.wait_for_texts(FIRST_TEXT)
    robot.speaker.say(SECOND_ONE, began_ns + SECOND // 5)  # all of it while the robot speaks
    robot.wait_for_state(State.GATED)
    robot.speaker.say(SECOND_ONE, began_ns + round(4.32 * SECOND))  # right after the tail
    robot.wait_for_texts(FIRST_TEXT, SECOND_TEXT)


def test_a_reset_and_a_mute_while_the_gate_is_closed_leave_no_trace_of_it(graph: Graph) -> None:
    from parakeet_asr_msgs.msg import AudioChunk
    from parakeet_asr_msgs.srv import Reset, SetMuted

    robot = Robot(graph, duplex__mode="gate", duplex__playback_topic="/playback")
    playback = robot.publisher(AudioChunk, "/playback")
    silence = b"\0" * 3_200

    def close_gate() -> int:
        at_ns = robot.now_ns()
        message = AudioChunk(sample_rate=16_000, channels=1, encoding="S16LE")
        write_header(message.header, at_ns)
        message.data.frombytes(encode(0.3 * np.sin(np.arange(16_000) / 5.0), "S16LE"))
        playback.publish(message)

        def closed() -> bool:
            robot.speaker.send(silence, at_ns + SECOND // 2)
            return robot.ears.state() == State.GATED

        graph.spin_until(closed, "the gate")
        return at_ns + 4 * SECOND  # the second sound is played behind the first

    after_ns = close_gate()
    assert call(graph, Reset, "/asr/parakeet_asr/reset", Reset.Request()).success
    robot.speaker.send(silence, after_ns)
    graph.spin_until(lambda: robot.ears.state() == State.LISTENING, "that it listens")
    after_ns = close_gate()
    for muted in (True, False):
        call(graph, SetMuted, "/asr/parakeet_asr/set_muted", SetMuted.Request(muted=muted))
    robot.speaker.send(silence, after_ns)
    graph.spin_until(lambda: robot.ears.state() == State.LISTENING, "that it listens")
    robot.speaker.say(FIRST, after_ns + SECOND)
    robot.wait_for_texts(FIRST_TEXT)


def test_the_watchdog_opens_the_gate_when_who_said_so_is_gone(graph: Graph) -> None:
    from std_msgs.msg import Bool

    robot = Robot(
        graph,
        duplex__mode="gate",
        duplex__speaking_topic="/speaking",
        duplex__watchdog_s=2.0,
        diagnostics__period_s=0.1,
    )
    looks = diagnostics(graph)
    speaking = robot.publisher(Bool, "/speaking")
    speaking.publish(Bool(data=True))
    silence = b"\0" * 3_200

    def hear_until(condition: Any, what: str) -> None:
        def push_on() -> bool:
            robot.speaker.send(silence, robot.now_ns() - SECOND // 10)
            return bool(condition())

        graph.spin_until(push_on, what)

    hear_until(lambda: robot.ears.state() == State.GATED, "the gate")
    hear_until(lambda: looks and looks[-1]["gate"] == "closed", "diagnostics of a closed gate")
    robot.mouth.destroy_publisher(speaking)
    hear_until(lambda: robot.ears.state() == State.LISTENING, "the watchdog")
    hear_until(lambda: looks[-1]["gate"] == "open", "diagnostics of an open gate")
    assert int(looks[-1]["sources that died"]) >= 1
    robot.speaker.say(FIRST, robot.now_ns())
    robot.wait_for_texts(FIRST_TEXT)


def diagnostics(graph: Graph) -> list[dict[str, str]]:
    """The values of the status `duplex`, as they come."""
    from diagnostic_msgs.msg import DiagnosticArray

    looks: list[dict[str, str]] = []

    def on_message(message: Any) -> None:
        (status,) = [s for s in message.status if s.name.endswith(": duplex")]
        if status.values:
            looks.append({pair.key: pair.value for pair in status.values})

    graph.node("doctor").create_subscription(DiagnosticArray, "/diagnostics", on_message, 10)
    return looks


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"duplex.mode": "half"}, "expected none or gate or filter or full"),
        ({"barge_in.cancel_action": True}, "duplex.action"),
        ({"duplex.tail_s": 99.0}, "range"),
    ],
)
def test_what_cannot_be_is_refused(graph: Graph, change: dict[str, Any], reason: str) -> None:
    node = graph.recognizer()
    (result,) = node.set_parameters([Parameter(name, value=value) for name, value in change.items()])
    assert not result.successful
    assert reason in result.reason


def test_mode_full_without_its_canceller_is_refused_and_the_mode_stays(
    graph: Graph, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyaec", None)  # as if it were not installed
    monkeypatch.delitem(sys.modules, "parakeet_asr.engines.speex_aec", raising=False)
    node = graph.recognizer(duplex__mode="gate")
    start(node)
    (result,) = node.set_parameters([Parameter("duplex.mode", value="full")])
    assert not result.successful
    assert "parakeet_asr[duplex]" in result.reason
    assert node.get_parameter("duplex.mode").value == "gate"
    assert node.listener.hearing.session.duplex_options.mode == "gate"


def test_witnesses_stop_with_the_listening(graph: Graph) -> None:
    from std_msgs.msg import Bool, String

    robot = Robot(
        graph,
        duplex__mode="gate",
        duplex__action="/say",
        duplex__speaking_topic="/speaking",
        duplex__text_topic="/tts_text",
        duplex__playback_topic="/playback",
        barge_in__cancel_action=True,
    )
    topics = {"/speaking": Bool, "/tts_text": String}
    publishers = [robot.publisher(kind, topic) for topic, kind in topics.items()]
    count = len(list(robot.node.subscriptions))
    robot.node.trigger_deactivate()
    graph.spin_until(lambda: not any(p.get_subscription_count() for p in publishers), "that nobody listens")
    robot.node.trigger_activate()
    graph.spin_until(lambda: all(p.get_subscription_count() for p in publishers), "that it listens again")
    assert len(list(robot.node.subscriptions)) == count
