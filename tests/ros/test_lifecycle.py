"""What the node does in each lifecycle state, asked over its services as launch does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from harness import (
    FAILURE,
    SUCCESS,
    ChangeState,
    Ears,
    GetState,
    Graph,
    Node,
    Speaker,
    State,
    Transition,
    sample,
    start,
)


def call(graph: Graph, node: Node, kind: Any, name: str, request: Any) -> Any:
    """Call a service and wait for the answer."""
    client = node.create_client(kind, name)
    graph.spin_until(client.service_is_ready, name)
    future = client.call_async(request)
    graph.spin_until(future.done, f"the answer of {name}")
    return future.result()


def change(graph: Graph, node: Node, transition: int) -> bool:
    request = ChangeState.Request(transition=Transition(id=transition))
    return bool(call(graph, node, ChangeState, "/asr/parakeet_asr/change_state", request).success)


def state(graph: Graph, node: Node) -> str:
    answer = call(graph, node, GetState, "/asr/parakeet_asr/get_state", GetState.Request())
    return str(answer.current_state.label)


def test_all_transitions_over_services(graph: Graph) -> None:
    client = graph.node("client")
    ears = Ears(client)
    graph.recognizer()
    assert state(graph, client) == "unconfigured"
    for transition, label, shown in (
        (Transition.TRANSITION_CONFIGURE, "inactive", State.IDLE),
        (Transition.TRANSITION_ACTIVATE, "active", State.LISTENING),
        (Transition.TRANSITION_DEACTIVATE, "inactive", State.IDLE),
        (Transition.TRANSITION_ACTIVATE, "active", State.LISTENING),
        (Transition.TRANSITION_DEACTIVATE, "inactive", State.IDLE),
        (Transition.TRANSITION_CLEANUP, "unconfigured", State.UNKNOWN),
        (Transition.TRANSITION_CONFIGURE, "inactive", State.IDLE),
        (Transition.TRANSITION_INACTIVE_SHUTDOWN, "finalized", State.UNKNOWN),
    ):
        assert change(graph, client, transition), label
        assert state(graph, client) == label
        graph.spin_until(lambda shown=shown: ears.state() == shown, f"state {shown}")


def test_it_listens_only_while_active(graph: Graph) -> None:
    ears, speaker = Ears(graph.node("ears")), Speaker(graph)
    node = graph.recognizer()
    assert node.trigger_configure() == SUCCESS
    assert node.count_subscribers("/asr/audio") == 0
    speaker.say("synth-a-049")
    assert node.trigger_activate() == SUCCESS
    speaker.wait_for_listener()
    speaker.say("synth-a-135")
    graph.spin_until(lambda: ears.finals, "a final")
    assert [final.text for final in ears.finals] == [sample("synth-a-135").text]
    assert node.trigger_deactivate() == SUCCESS
    assert node.count_subscribers("/asr/audio") == 0


def test_deactivation_ends_an_open_utterance(graph: Graph) -> None:
    ears, speaker = Ears(graph.node("ears")), Speaker(graph)
    node = graph.recognizer()
    start(node)
    speaker.wait_for_listener()
    publish, sent = speaker.send, []

    def cut_short(data: bytes, *rest: Any) -> None:
        sent.append(data)
        if len(sent) <= 15:
            publish(data, *rest)

    speaker.send = cut_short  # type: ignore[method-assign]
    speaker.say("synth-a-135")
    graph.spin_until(lambda: node.source.received == 15, "every chunk to arrive")
    graph.spin_until(lambda: ears.activity == [True], "speech to begin")
    assert node.trigger_deactivate() == SUCCESS
    graph.spin_until(lambda: ears.finals, "the final of the open utterance")
    assert ears.finals[0].text.startswith("Go to")
    graph.spin_until(lambda: ears.state() == State.IDLE, "idle")


def test_the_model_stays_on_deactivate_and_goes_on_cleanup(graph: Graph) -> None:
    node = graph.recognizer()
    start(node)
    model = node.model
    node.trigger_deactivate()
    assert node.model is model
    node.trigger_cleanup()
    assert node.model is None


def test_a_model_that_is_not_there_leaves_a_living_unconfigured_node(graph: Graph, tmp_path: Path) -> None:
    client = graph.node("client")
    ears = Ears(client)
    node = graph.recognizer(model=str(tmp_path / "nowhere"))
    assert node.trigger_configure() == FAILURE
    graph.spin_until(lambda: ears.state() == State.ERROR, "the error state")
    assert "nowhere" in ears.states[-1].text
    assert state(graph, client) == "unconfigured"


def test_a_file_that_is_not_there_leaves_the_node_inactive(graph: Graph, tmp_path: Path) -> None:
    client = graph.node("client")
    ears = Ears(client)
    node = graph.recognizer(audio__source="file", audio__file=str(tmp_path / "nothing.wav"))
    assert node.trigger_configure() == SUCCESS
    assert node.trigger_activate() == FAILURE
    graph.spin_until(lambda: ears.state() == State.ERROR, "the error state")
    assert "nothing.wav" in ears.states[-1].text
    assert state(graph, client) == "inactive"
