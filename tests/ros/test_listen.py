"""The action `listen`: every goal ends with a result that says why."""

from __future__ import annotations

from typing import Any

import pytest

from harness import CAPTURED_NS, SECOND, Ears, Graph, Speaker, State, sample, start
from test_services import call, say_first


class Asked:
    """One goal and what came of it."""

    def __init__(self, graph: Graph, client: Any, **goal: float | list[str]) -> None:
        from builtin_interfaces.msg import Duration

        def duration(seconds: float) -> Duration:
            whole, rest = divmod(round(seconds * SECOND), SECOND)
            return Duration(sec=whole, nanosec=rest)

        request = client._action_type.Goal(
            **{n: v if isinstance(v, list) else duration(v) for n, v in goal.items()}
        )
        self.feedback: list[Any] = []
        self._graph = graph
        sent = client.send_goal_async(request, lambda message: self.feedback.append(message.feedback))
        graph.spin_until(sent.done, "acceptance")
        self.handle = sent.result()
        assert self.handle.accepted
        self._answer = self.handle.get_result_async()

    def result(self, timeout_s: float = 30.0) -> tuple[str, str]:
        """The outcome by its name, and the status of the goal by its name."""
        from action_msgs.msg import GoalStatus

        self._graph.spin_until(self._answer.done, "the result", timeout_s)
        answer = self._answer.result()
        self.message, self.transcript = answer.result.message, answer.result.transcript
        kind = type(answer.result)
        outcomes = {getattr(kind, n): n for n in ("OK", "NO_SPEECH", "TIMEOUT", "CANCELED", "ERROR")}
        statuses = {getattr(GoalStatus, f"STATUS_{n}"): n for n in ("SUCCEEDED", "ABORTED", "CANCELED")}
        return outcomes[answer.result.outcome], statuses[answer.status]


@pytest.fixture
def client(graph: Graph) -> Any:
    """A client of the action."""
    from parakeet_asr_msgs.action import Listen
    from rclpy.action import ActionClient

    node = graph.node("robot")
    client = ActionClient(node, Listen, "/asr/listen")
    yield client
    client.destroy()


@pytest.fixture
def listening(graph: Graph, client: Any) -> tuple[Any, Ears, Speaker]:
    """An active node, who hears it, and who speaks to it."""
    ears, speaker = Ears(graph.node("ears")), Speaker(graph)
    node = graph.recognizer()
    start(node)
    speaker.wait_for_listener()
    graph.spin_until(client.server_is_ready, "the action")
    return node, ears, speaker


Listening = tuple[Any, Ears, Speaker]


def test_an_utterance_is_heard_with_its_partials(graph: Graph, client: Any, listening: Listening) -> None:
    _, ears, speaker = listening
    asked = Asked(graph, client)
    speaker.say("synth-a-135")
    assert asked.result() == ("OK", "SUCCEEDED")
    assert asked.transcript.text == sample("synth-a-135").text
    assert asked.transcript.is_final
    graph.spin_until(lambda: ears.finals == [asked.transcript], "the final on the topic")
    graph.spin_until(lambda: len(asked.feedback) == len(ears.partials), "every partial")
    assert [f.transcript for f in asked.feedback] == ears.partials != []


def test_speech_from_before_the_goal_does_not_count_but_what_is_open_does(
    graph: Graph, client: Any, listening: Listening
) -> None:
    _, ears, speaker = listening
    after = speaker.say("synth-a-049")
    graph.spin_until(lambda: ears.finals, "the utterance before the goal")
    say_first(speaker, 0)
    publish, sent = speaker.send, []
    asked: list[Asked] = []

    def ask_in_the_middle(data: bytes, *rest: Any) -> None:
        publish(data, *rest)
        sent.append(data)
        if len(sent) == 15:
            graph.spin_until(lambda: ears.activity[-1], "speech")
            asked.append(Asked(graph, client))

    speaker.send = ask_in_the_middle  # type: ignore[method-assign]
    speaker.say("synth-a-135", after)
    assert asked[0].result() == ("OK", "SUCCEEDED")
    assert asked[0].transcript.text == sample("synth-a-135").text


def test_nobody_speaks(graph: Graph, client: Any, listening: Listening) -> None:
    asked = Asked(graph, client, start_timeout=0.3)
    assert asked.result() == ("NO_SPEECH", "ABORTED")
    assert "0.3 s" in asked.message
    assert Asked(graph, client, timeout=0.3).result() == ("NO_SPEECH", "ABORTED")
    assert listening[0].get_parameter("listen.timeout_s").value == 30.0
    from harness import Parameter

    listening[0].set_parameters([Parameter("listen.timeout_s", value=0.2)])
    assert Asked(graph, client).result() == ("NO_SPEECH", "ABORTED")


def test_speech_that_began_in_time_may_go_on_behind_the_start_timeout(
    graph: Graph, client: Any, listening: Listening
) -> None:
    _, ears, speaker = listening
    asked = Asked(graph, client, start_timeout=3.0)
    say_first(speaker, 15)
    graph.spin_until(lambda: ears.activity == [True], "speech to begin")
    graph.spin_until(lambda: listening[0]._listen.goal.start_is_over, "the start timeout")
    assert call(graph, "finalize").success
    assert asked.result() == ("OK", "SUCCEEDED")


def test_an_utterance_that_never_ends(graph: Graph, client: Any, listening: Listening) -> None:
    """As when the publisher dies in the middle."""
    _, ears, speaker = listening
    asked = Asked(graph, client, timeout=5.0)
    say_first(speaker, 15)
    graph.spin_until(lambda: ears.partials, "a partial")
    assert asked.result() == ("TIMEOUT", "ABORTED")
    assert asked.transcript.text.startswith("Go")
    assert not asked.transcript.is_final


def test_the_client_cancels(graph: Graph, client: Any, listening: Listening) -> None:
    asked = Asked(graph, client)
    answer = asked.handle.cancel_goal_async()
    graph.spin_until(answer.done, "the answer")
    assert len(answer.result().goals_canceling) == 1
    assert asked.result() == ("CANCELED", "CANCELED")


def test_a_new_goal_takes_the_place_of_the_old_one(graph: Graph, client: Any, listening: Listening) -> None:
    _, _, speaker = listening
    first, second = Asked(graph, client), Asked(graph, client)
    assert first.result() == ("CANCELED", "ABORTED")
    assert "another goal" in first.message
    speaker.say("synth-a-135")
    assert second.result() == ("OK", "SUCCEEDED")


@pytest.mark.parametrize("how", ["deactivate", "cleanup", "mute", "switch off", "shutdown"])
def test_what_happens_to_the_node_ends_the_goal(
    graph: Graph, client: Any, listening: Listening, how: str
) -> None:
    node = listening[0]
    asked = Asked(graph, client)
    if how == "mute":
        call(graph, "set_muted", muted=True)
    elif how == "switch off":
        call(graph, "set_enabled", enabled=False)
    elif how == "shutdown":
        node.trigger_shutdown()
    else:
        node.trigger_deactivate()
        if how == "cleanup":
            node.trigger_cleanup()
    assert asked.result() == ("ERROR", "ABORTED")
    assert asked.message


def test_where_nothing_can_be_heard_the_goal_says_so(graph: Graph, client: Any) -> None:
    node = graph.recognizer()
    graph.spin_until(client.server_is_ready, "the action")
    asked = Asked(graph, client)
    assert asked.result() == ("ERROR", "ABORTED")
    assert "not active" in asked.message
    start(node)
    asked = Asked(graph, client, end_silence=15.0)  # with endpoint.max_utterance_s of 20 s
    assert asked.result() == ("ERROR", "ABORTED")
    assert "max_utterance_s" in asked.message
    call(graph, "set_muted", muted=True)
    asked = Asked(graph, client)
    assert asked.result() == ("ERROR", "ABORTED")
    assert "muted" in asked.message


def test_end_silence_and_phrases_are_for_the_goal_only(
    graph: Graph, client: Any, listening: Listening, monkeypatch: pytest.MonkeyPatch
) -> None:
    node, ears, speaker = listening
    session, recognizer = node.listener.hearing.session, node.model.recognizer
    usual, in_use = session.options, []
    set_phrases = recognizer.set_phrases

    def watched(phrases: Any, *rest: Any) -> Any:
        in_use[:] = phrases
        return set_phrases(phrases, *rest)

    monkeypatch.setattr(recognizer, "set_phrases", watched)
    call(graph, "set_phrases", phrases=["Tiago"])
    assert in_use == ["Tiago"]
    asked = Asked(graph, client, end_silence=2.0, phrases=["room twelve"])
    graph.spin_until(lambda: session.options.silence_s == 2.0, "the goal's options")
    graph.spin_until(lambda: in_use == ["room twelve"], "the goal's phrases")
    after = speaker.say("synth-a-135")  # with a second of silence, which is not enough
    speaker.say("synth-a-049", after)
    graph.spin_until(lambda: node.listener.stats().queued_s == 0 and ears.state() == State.SPEECH, "speech")
    assert ears.finals == []
    speaker.send(b"\0" * 96_000, after + 10 * SECOND)
    assert asked.result() == ("OK", "SUCCEEDED")
    graph.spin_until(lambda: session.options == usual, "the usual options")
    graph.spin_until(lambda: in_use == ["Tiago"], "the usual phrases")


def test_goals_run_on_the_clock_of_the_node(graph: Graph, client: Any) -> None:
    """With simulated time that stands still nobody is late; when it runs, the goal ends."""
    from rosgraph_msgs.msg import Clock

    node = graph.recognizer(use_sim_time=True)
    publisher = graph.node("clock").create_publisher(Clock, "/clock", 10)

    def tell(seconds: int) -> None:
        message = Clock()
        message.clock.sec = CAPTURED_NS // SECOND + seconds
        publisher.publish(message)

    def is_at(seconds: int) -> bool:
        tell(seconds)
        return int(node.get_clock().now().nanoseconds) >= CAPTURED_NS + seconds * SECOND

    graph.spin_until(lambda: is_at(0), "the time")
    start(node)
    graph.spin_until(client.server_is_ready, "the action")
    asked = Asked(graph, client, start_timeout=100.0)
    assert node.listens_for_goal
    graph.spin_until(lambda: is_at(99), "the time")
    assert node.listens_for_goal
    graph.spin_until(lambda: is_at(101), "the time")
    assert asked.result() == ("NO_SPEECH", "ABORTED")


def test_a_multithreaded_executor_does_as_well(graph: Graph, client: Any, listening: Listening) -> None:
    from rclpy.executors import MultiThreadedExecutor

    node, _, speaker = listening
    graph.executor.remove_node(node)
    threads = MultiThreadedExecutor(num_threads=3, context=graph.context)
    threads.add_node(node)
    import threading

    spinner = threading.Thread(target=threads.spin)
    spinner.start()
    try:
        for _ in range(3):
            asked = Asked(graph, client)
            speaker.say("synth-a-135")
            assert asked.result() == ("OK", "SUCCEEDED")
        asked = Asked(graph, client)
        graph.spin_until(asked.handle.cancel_goal_async().done, "the answer")
        assert asked.result()[0] == "CANCELED"
    finally:
        threads.shutdown()
        spinner.join()
        graph.executor.add_node(node)
