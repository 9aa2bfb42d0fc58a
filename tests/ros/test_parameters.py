"""Parameters on a living node: described, checked, and refused with a reason."""

from __future__ import annotations

from typing import Any

import pytest

from harness import Graph, Parameter, start
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
        ("device", "tpu", "expected cpu or cuda"),
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
    assert "deactivate first" in change("endpoint.silence_s", 1.0)
    node.trigger_deactivate()
    assert "clean up first" in change("threads", 1)
    assert change("endpoint.silence_s", 1.0) == ""
    node.trigger_cleanup()
    assert change("threads", 1) == ""


@pytest.mark.parametrize(
    ("name", "value"), [("endpoint__silence_s", -1.0), ("endpoint__silence_s", "soon"), ("threads", 9999)]
)
def test_a_value_that_cannot_be_stops_the_node_at_the_start(graph: Graph, name: str, value: Any) -> None:
    with pytest.raises(ConfigurationError, match=name.replace("__", ".")):
        graph.recognizer(**{name: value})
