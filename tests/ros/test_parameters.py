"""Parameters on a living node: described, checked, and refused with a reason."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import pytest

from harness import FAILURE, SECOND, SUCCESS, Ears, Graph, Parameter, Speaker, State, sample, start
from parakeet_asr.errors import ConfigurationError
from parakeet_asr.ros.parameters import PARAMETERS


def test_every_parameter_is_declared_with_its_description_and_range(graph: Graph) -> None:
    node = graph.recognizer()
    for parameter in PARAMETERS:
        descriptor = node.describe_parameter(parameter.name)
        assert node.get_parameter(parameter.name).value == parameter.default
        assert parameter.description in descriptor.description
        assert descriptor.read_only == parameter.read_only
        ranges = [*descriptor.floating_point_range, *descriptor.integer_range]
        assert [(r.from_value, r.to_value) for r in ranges] == (
            [] if parameter.minimum is None else [(parameter.minimum, parameter.maximum)]
        )


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("endpoint.silence_s", 99.0, "range"),
        ("device", "tpu", "expected auto or cpu or cuda"),
        ("audio.source", "file", "audio.file"),
        ("endpoint.max_utterance_s", 2.0, "silence_s"),
        ("autostart", True, "read-only"),
    ],
)
def test_a_change_that_cannot_be_is_refused_with_the_reason(
    graph: Graph, name: str, value: Any, reason: str
) -> None:
    node = graph.recognizer(endpoint__silence_s=1.5)
    before = node.get_parameter(name).value
    (result,) = node.set_parameters([Parameter(name, value=value)])
    assert not result.successful
    assert reason in result.reason
    assert node.get_parameter(name).value == before


def test_what_is_in_use_waits_for_the_transition_that_takes_it(graph: Graph) -> None:
    node = graph.recognizer()

    def change(name: str, value: Any) -> str:
        return str(node.set_parameters([Parameter(name, value=value)])[0].reason)

    start(node)
    assert "clean up first" in change("threads", 1)
    assert "deactivate first" in change("audio.channel", 1)
    node.trigger_deactivate()
    assert "clean up first" in change("threads", 1)
    assert change("audio.channel", 1) == ""
    node.trigger_cleanup()
    assert change("threads", 1) == ""


@pytest.mark.parametrize(
    ("name", "value"), [("endpoint__silence_s", -1.0), ("endpoint__silence_s", "soon"), ("threads", 9999)]
)
def test_a_value_that_cannot_be_stops_the_node_at_the_start(graph: Graph, name: str, value: Any) -> None:
    with pytest.raises(ConfigurationError, match=name.replace("__", ".")):
        graph.recognizer(**{name: value})


def test_dynamic_parameters_change_while_somebody_speaks_and_no_sound_is_lost(graph: Graph) -> None:
    ears, speaker = Ears(graph.node("ears")), Speaker(graph)
    node = graph.recognizer()
    start(node)
    speaker.wait_for_listener()
    first, second = sample("synth-a-049"), sample("synth-a-135")
    changes = iter([("partial.interval_s", 0.2), ("window.left_s", 5.0), ("vad.min_speech_s", 0.25)] * 4)
    publish = speaker.send

    def change_and_send(*chunk: Any) -> None:
        if speaker.sequence % 4 == 0 and (change := next(changes, None)):
            (result,) = node.set_parameters([Parameter(change[0], value=change[1])])
            assert result.successful, result.reason
        publish(*chunk)

    speaker.send = change_and_send  # type: ignore[method-assign]
    after = speaker.say("synth-a-049")
    graph.spin_until(lambda: ears.finals, "a final")
    assert ears.finals[0].text == first.text
    speaker.send = publish  # type: ignore[method-assign]
    # With more silence than the pause has, the next two become one utterance.
    (result,) = node.set_parameters([Parameter("endpoint.silence_s", value=2.0)])
    assert result.successful, result.reason
    end = speaker.say("synth-a-135", speaker.say("synth-a-049", after))
    for i in range(15):
        speaker.send(b"\0" * 3200, end + i * SECOND // 10)
    graph.spin_until(lambda: len(ears.finals) == 2, "both in one", timeout_s=120)
    assert first.text in ears.finals[1].text
    assert second.text.rstrip(".") in ears.finals[1].text
    stats, session = node.listener.stats(), node.listener.hearing.session
    assert (stats.dropped_s, stats.failures, session.jumps, node.source.lost) == (0.0, 0, 0, 0)


def test_a_change_that_a_goal_or_another_parameter_excludes_is_refused_while_listening(graph: Graph) -> None:
    node = graph.recognizer()
    start(node)
    options = node.listener.hearing.session.options
    for name, value, reason in (
        ("endpoint.silence_s", 10.0, "max_utterance_s"),
        ("vad.speech_threshold", 0.1, "range"),
        ("vad.speech_threshold", "loud", "type"),
    ):
        (result,) = node.set_parameters([Parameter(name, value=value)])
        assert not result.successful
        assert reason in result.reason
    node.listener.options.begin_goal(8.0, [])
    (result,) = node.set_parameters([Parameter("endpoint.max_utterance_s", value=15.0)])
    assert "silence_s (8.0)" in result.reason
    node.listener.options.end_goal()
    graph.spin_until(lambda: node.listener.hearing.session.options == options, "the options of before")


def test_a_voice_without_hri_msgs_is_refused_with_what_to_do(graph: Graph) -> None:
    if find_spec("hri_msgs") is not None:
        pytest.skip("hri_msgs is installed here; tests/ros/foreign/ros4hri.py tries it")
    ears = Ears(graph.node("ears"))
    node = graph.recognizer(live_speech__voice_id="somebody")
    assert node.trigger_configure() == SUCCESS
    assert node.trigger_activate() == FAILURE
    graph.spin_until(lambda: ears.state() == State.ERROR, "the error")
    assert "apt install" in ears.states[-1].text
    (result,) = node.set_parameters([Parameter("live_speech.voice_id", value="a voice")])
    assert "letters" in result.reason
