"""Loading may take minutes: meanwhile services answer, and the process can be ended."""

from __future__ import annotations

import json
import os
import shutil
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from parakeet_asr_msgs.msg import Transcript
from parakeet_asr_msgs.srv import SetMuted
from rcl_interfaces.srv import SetParameters

from harness import (
    ChangeState,
    Ears,
    GetState,
    Graph,
    Speaker,
    State,
    Transition,
    call,
    node_process,
    start,
)
from parakeet_asr.core.recognizer import Recognizer
from parakeet_asr.ros import loading

CHANGE_STATE, GET_STATE = "/asr/parakeet_asr/change_state", "/asr/parakeet_asr/get_state"


class SlowLoad:
    """Loads the model when it is told to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.go_on = threading.Event()
        self._load = loading.load_model
        monkeypatch.setattr(loading, "load_model", self)

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        assert self.go_on.wait(60)
        return self._load(*arguments, **options)


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> Iterator[SlowLoad]:
    slow = SlowLoad(monkeypatch)
    yield slow
    slow.go_on.set()


def ask(graph: Graph, transition: int) -> Any:
    """Ask for a transition; the future of the answer."""
    client = graph.client(ChangeState, CHANGE_STATE)
    graph.spin_until(client.service_is_ready, "the service")
    return client.call_async(ChangeState.Request(transition=Transition(id=transition)))


def state(graph: Graph) -> str:
    return str(call(graph, GetState, GET_STATE, GetState.Request()).current_state.label)


def test_services_answer_while_the_model_is_loaded(graph: Graph, slow: SlowLoad) -> None:
    ears = Ears(graph.node("ears"))
    node = graph.recognizer()
    configured = ask(graph, Transition.TRANSITION_CONFIGURE)
    graph.spin_until(lambda: ears.state() == State.LOADING, "loading")
    assert state(graph) == "configuring"
    assert call(graph, SetMuted, "/asr/parakeet_asr/set_muted", SetMuted.Request(muted=True)).success
    threads = loading_parameter("threads", 1)
    answer = call(graph, SetParameters, "/asr/parakeet_asr/set_parameters", threads)
    assert "clean up first" in answer.results[0].reason
    activated = ask(graph, Transition.TRANSITION_ACTIVATE)  # waits for its turn
    assert not configured.done()
    slow.go_on.set()
    graph.spin_until(activated.done, "both transitions")
    assert configured.result().success
    assert activated.result().success
    assert state(graph) == "active"
    graph.spin_until(lambda: ears.state() == State.MUTED, "the mute from before")
    assert not node.loading


def test_services_answer_while_the_last_words_are_heard_and_they_are_published(
    graph: Graph, monkeypatch: pytest.MonkeyPatch
) -> None:
    ears, speaker = Ears(graph.node("ears")), Speaker(graph)
    node = graph.recognizer(threads=1, endpoint__silence_s=5.0)
    start(node)
    speaker.wait_for_listener()
    recognize, go_on = Recognizer.recognize, threading.Event()

    def slow(self: Recognizer, *arguments: Any) -> Any:
        assert go_on.wait(60)
        return recognize(self, *arguments)

    monkeypatch.setattr(Recognizer, "recognize", slow)
    speaker.say("synth-a-049")
    graph.spin_until(lambda: ears.partials and node.source.received == speaker.sequence, "the sound")
    try:
        deactivated = ask(graph, Transition.TRANSITION_DEACTIVATE)
        graph.spin_until(lambda: not speaker.node.count_subscribers("/asr/audio"), "the source to stop")
        assert call(graph, SetMuted, "/asr/parakeet_asr/set_muted", SetMuted.Request(muted=True)).success
        assert state(graph) == "active"
        assert not deactivated.done()
        assert not ears.finals
    finally:
        go_on.set()
    graph.spin_until(deactivated.done, "the answer")
    assert deactivated.result().success
    assert state(graph) == "inactive"
    graph.spin_until(lambda: len(ears.finals) == 1, "the final")
    assert ears.finals[0].end_reason == Transcript.END_STREAM


def loading_parameter(name: str, value: int) -> Any:
    from harness import Parameter

    return SetParameters.Request(parameters=[Parameter(name, value=value).to_parameter_msg()])


def test_a_load_that_fails_is_answered_and_leaves_a_living_node(graph: Graph) -> None:
    ears = Ears(graph.node("ears"))
    graph.recognizer(model="nowhere/at/all")
    configured = ask(graph, Transition.TRANSITION_CONFIGURE)
    graph.spin_until(configured.done, "the answer")
    assert not configured.result().success
    graph.spin_until(lambda: ears.state() == State.ERROR, "the error")
    assert state(graph) == "unconfigured"


def test_a_transition_that_the_state_does_not_have_is_refused(graph: Graph) -> None:
    graph.recognizer()
    for transition in (Transition.TRANSITION_ACTIVATE, Transition.TRANSITION_CLEANUP, 77):
        refused = ask(graph, transition)
        graph.spin_until(refused.done, "the answer")
        assert not refused.result().success
    assert state(graph) == "unconfigured"


def endless_model(root: Path, folder: Path) -> Path:
    """The demo model with an encoder so large (and empty) that checking it takes minutes."""
    shutil.copytree(root / "models/demo", folder, ignore=shutil.ignore_patterns("*.nemo"))
    contract = json.loads((folder / "model.json").read_text())
    contract["files"]["encoder.onnx"]["bytes"] = size = 2**38
    (folder / "model.json").write_text(json.dumps(contract))
    os.truncate(folder / "encoder.onnx", size)
    return folder


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_process_that_loads_can_be_ended(
    graph: Graph, root: Path, tmp_path: Path, number: signal.Signals
) -> None:
    model = endless_model(root, tmp_path / "endless")
    ears = Ears(graph.node("ears"))
    arguments = ("-p", "autostart:=true", "-p", f"model:={model}")
    with node_process(graph.domain_id, *arguments) as process:
        graph.spin_until(lambda: ears.state() == State.LOADING, "loading")
        process.send_signal(number)
        _, output = process.communicate(timeout=30)
    assert process.returncode == 0, output
    assert "ended while the model was being loaded" in output
