"""Who knows that the robot speaks: the status of any action, a flag, a text, what is played."""

from __future__ import annotations

from typing import Any

import pytest

from harness import SECOND, Graph

NOW_NS = 1_000 * SECOND


class Notes:
    """Writes down what witnesses say."""

    def __init__(self) -> None:
        self.said: list[tuple[str, str, int]] = []

    def began(self, witness: str, stamp_ns: int) -> None:
        self.said.append(("began", witness, stamp_ns))

    def ended(self, witness: str, stamp_ns: int) -> None:
        self.said.append(("ended", witness, stamp_ns))

    def heartbeat(self, witness: str, stamp_ns: int) -> None:
        self.said.append(("heartbeat", witness, stamp_ns))

    @property
    def kinds(self) -> list[str]:
        return [kind for kind, _, _ in self.said if kind != "heartbeat"]


@pytest.fixture
def notes() -> Notes:
    return Notes()


def status(*goals: tuple[int, int, float]) -> Any:
    """A message of goals: id, status, and how long ago it was accepted."""
    from action_msgs.msg import GoalStatus, GoalStatusArray

    message = GoalStatusArray()
    for number, state, ago_s in goals:
        goal = GoalStatus(status=state)
        goal.goal_info.goal_id.uuid[0] = number
        stamp = NOW_NS - round(ago_s * SECOND)
        goal.goal_info.stamp.sec, goal.goal_info.stamp.nanosec = divmod(stamp, SECOND)
        message.status_list.append(goal)
    return message


@pytest.fixture
def action(graph: Graph, notes: Notes) -> Any:
    """A witness of an action that has no server; it is given messages by hand."""
    from parakeet_asr.ros.duplex.witnesses import ActionWitness

    interrupted: list[int] = []
    witness = ActionWitness(graph.node("w"), "/say", notes, lambda: NOW_NS, 60.0, interrupted.append)
    witness.interrupted = interrupted
    return witness


ACCEPTED, EXECUTING, CANCELING, SUCCEEDED, CANCELED = 1, 2, 3, 4, 5


def test_the_robot_speaks_while_a_goal_is_executed(action: Any, notes: Notes) -> None:
    for message in (
        status((1, ACCEPTED, 0.1)),
        status((1, EXECUTING, 0.2)),
        status((1, CANCELING, 0.3)),
        status((1, SUCCEEDED, 0.4)),
    ):
        action.on_status(message)
    assert notes.kinds == ["began", "ended"]
    assert action.goals == ()
    assert action.interrupted == []


@pytest.mark.parametrize(
    ("seen_waiting", "ago_s", "began_ago_s"),
    [(False, 0.2, 0.2), (True, 0.2, 0.0), (False, 30.0, 0.0), (False, -5.0, 0.0)],
    ids=["at its acceptance", "when its turn came", "nobody knows", "another clock"],
)
def test_it_began_when_the_goal_did(
    action: Any, notes: Notes, seen_waiting: bool, ago_s: float, began_ago_s: float
) -> None:
    if seen_waiting:
        action.on_status(status((1, ACCEPTED, 0.1)))
    action.on_status(status((1, EXECUTING, ago_s)))
    assert notes.said[0] == ("began", "action", NOW_NS - round(began_ago_s * SECOND))


def test_one_goal_after_the_other_is_one_speech_and_a_canceled_one_is_an_interruption(
    action: Any, notes: Notes
) -> None:
    action.on_status(status((1, EXECUTING, 0.1)))
    action.on_status(status((1, SUCCEEDED, 0.2), (2, EXECUTING, 0.1)))
    assert notes.kinds == ["began"]
    assert [goal[0] for goal in action.goals] == [2]
    action.on_status(status((1, SUCCEEDED, 0.3), (2, CANCELED, 0.2)))
    assert notes.kinds == ["began", "ended"]
    assert action.interrupted == [NOW_NS]


def test_the_status_of_an_action_of_any_type_is_understood_and_its_goal_can_be_canceled(
    graph: Graph, notes: Notes
) -> None:
    """The type is this project's `Listen`, of which the witness knows nothing."""
    from parakeet_asr_msgs.action import Listen
    from rclpy.action import ActionClient, ActionServer, CancelResponse

    from parakeet_asr.ros.duplex.interruption import GoalCanceler
    from parakeet_asr.ros.duplex.witnesses import ActionWitness

    server, watcher = graph.node("server"), graph.node("watcher")
    asked: list[Any] = []

    async def execute(goal: Any) -> Any:
        while not goal.is_cancel_requested:
            future = server.executor.create_task(lambda: None)
            await future
        goal.canceled()
        return Listen.Result()

    ActionServer(server, Listen, "talk", execute, cancel_callback=lambda _: CancelResponse.ACCEPT)
    witness = ActionWitness(
        watcher,
        "talk",
        notes,
        lambda: watcher.get_clock().now().nanoseconds,
        60.0,
        asked.append,
    )
    canceler = GoalCanceler(watcher, "talk", lambda: witness.goals)
    client = ActionClient(graph.node("client"), Listen, "talk")
    graph.spin_until(client.server_is_ready, "the action")
    before_ns = watcher.get_clock().now().nanoseconds
    client.send_goal_async(Listen.Goal())
    graph.spin_until(lambda: notes.kinds == ["began"], "the beginning")
    assert before_ns <= notes.said[0][2] <= watcher.get_clock().now().nanoseconds
    witness.vouch()
    assert notes.said[-1][0] == "heartbeat"
    graph.spin_until(canceler._client.service_is_ready, "the service")
    canceler.cancel()
    graph.spin_until(lambda: notes.kinds == ["began", "ended"], "the end")
    assert len(asked) == 1
    canceler.close()
    witness.stop()


def test_a_flag_is_repeated_for_as_long_as_its_publisher_is_there(graph: Graph, notes: Notes) -> None:
    from std_msgs.msg import Bool

    from parakeet_asr.ros.duplex.witnesses import BoolWitness

    watcher, speaker = graph.node("watcher"), graph.outsider("speaker")
    witness = BoolWitness(watcher, "speaking", notes, lambda: NOW_NS, 60.0)
    publisher = speaker.create_publisher(Bool, "speaking", 10)
    graph.spin_until(lambda: publisher.get_subscription_count(), "a match")
    witness.vouch()
    assert notes.said == []
    publisher.publish(Bool(data=True))
    graph.spin_until(lambda: notes.kinds == ["began"], "the beginning")
    witness.vouch()
    assert notes.said[-1] == ("heartbeat", "topic", NOW_NS)
    speaker.destroy_publisher(publisher)
    graph.spin_until(lambda: not watcher.get_publishers_info_by_topic("speaking"), "its end")
    other = graph.outsider("other").create_publisher(Bool, "speaking", 10)  # nobody who said that
    graph.spin_until(lambda: watcher.get_publishers_info_by_topic("speaking"), "another one")
    count = len(notes.said)
    witness.vouch()
    assert len(notes.said) == count
    graph.spin_until(lambda: other.get_subscription_count(), "a match")
    other.publish(Bool(data=False))
    graph.spin_until(lambda: notes.kinds == ["began", "ended"], "the end")


def test_what_is_said_once_and_never_ends_is_not_vouched_for(graph: Graph, notes: Notes) -> None:
    from parakeet_asr.ros.duplex.witnesses import BoolWitness

    watcher = graph.node("watcher")
    witness = BoolWitness(watcher, "speaking", notes, lambda: NOW_NS, 0.0)
    publisher = graph.outsider("speaker").create_publisher(type_of_bool(), "speaking", 10)
    graph.spin_until(lambda: publisher.get_subscription_count(), "a match")
    publisher.publish(type_of_bool()(data=True))
    graph.spin_until(lambda: notes.kinds == ["began"], "the beginning")
    witness.vouch()
    assert [kind for kind, _, _ in notes.said] == ["began"]


def type_of_bool() -> Any:
    from std_msgs.msg import Bool

    return Bool
