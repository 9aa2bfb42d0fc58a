"""What /diagnostics says, from the outside."""

from __future__ import annotations

from typing import Any

import pytest

from harness import CAPTURED_NS, SECOND, Ears, Graph, Parameter, Speaker, start
from test_services import call


class Doctor:
    """Collects the diagnostics of the node."""

    def __init__(self, graph: Graph) -> None:
        from diagnostic_msgs.msg import DiagnosticArray

        self._graph = graph
        self.arrays: list[Any] = []
        graph.node("doctor").create_subscription(DiagnosticArray, "/diagnostics", self.arrays.append, 10)

    def wait(self, part: str, condition: Any) -> dict[str, str]:
        """Until a status of ``part`` holds the condition on (level, message, values); its values."""
        found: list[dict[str, str]] = []

        def check() -> bool:
            while self.arrays:
                (status,) = [s for s in self.arrays.pop(0).status if s.name == f"/asr/parakeet_asr: {part}"]
                values = {v.key: v.value for v in status.values}
                if condition(status.level[0], status.message, values):
                    found.append(values)
            return bool(found)

        self._graph.spin_until(check, f"diagnostics of {part}")
        return found[0]


@pytest.fixture
def doctor(graph: Graph) -> Doctor:
    return Doctor(graph)


def test_every_part_is_reported_in_every_lifecycle_state(graph: Graph, doctor: Doctor) -> None:
    node = graph.recognizer(diagnostics__period_s=0.1)
    doctor.wait("input", lambda level, message, _: (level, message) == (0, "the node is not active"))
    doctor.wait("worker", lambda level, message, _: (level, message) == (0, "no model is loaded"))
    node.trigger_configure()
    values = doctor.wait("engine", lambda level, _, values: level == 0 and "model" in values)
    assert values["model"] == node.model.spec.name
    assert "onnxruntime" in values["engine"]
    assert float(values["load time (s)"]) > 0
    assert float(values["memory of the process (MiB)"]) > 20
    node.trigger_cleanup()
    doctor.wait("engine", lambda _, message, __: message == "no model is loaded")


def test_the_guard_is_what_the_parameters_say_and_its_work_is_counted(graph: Graph, doctor: Doctor) -> None:
    node = graph.recognizer(diagnostics__period_s=0.1, guard__hole_s=2.5)
    node.trigger_configure()
    assert node.model.recognizer.guard.options.hole_s == 2.5
    values = doctor.wait("worker", lambda _, __, values: "holes filled" in values)
    assert (values["holes with speech"], values["holes filled"]) == ("0", "0")
    node.trigger_cleanup()
    node.set_parameters([Parameter("guard.enabled", value=False)])
    node.trigger_configure()
    assert node.model.recognizer.guard is None


def test_sound_and_work_are_measured(graph: Graph, doctor: Doctor) -> None:
    ears, speaker = Ears(graph.node("ears")), Speaker(graph)
    start(graph.recognizer(diagnostics__period_s=0.1))
    speaker.wait_for_listener()
    speaker.say("synth-a-135")
    values = doctor.wait("input", lambda _, __, v: v and -60 < float(v["peak (dBFS)"]) <= 0)
    assert float(values["rate (s of sound per s)"]) > 0
    assert values["source"] == "/asr/audio"
    graph.spin_until(lambda: ears.finals, "a final")
    values = doctor.wait("worker", lambda _, __, v: "latency p95 (s)" in v)
    assert 0 <= float(values["latency p50 (s)"]) <= float(values["latency p95 (s)"])
    assert float(values["processed (s)"]) > 1
    assert "holes filled" in values


def test_levels_rise_and_fall(graph: Graph, doctor: Doctor) -> None:
    speaker = Speaker(graph)
    start(graph.recognizer(diagnostics__period_s=0.1))
    speaker.wait_for_listener()
    doctor.wait("input", lambda level, message, _: level == 1 and "no sound for" in message)
    speaker.send(b"\xff\x7f" * 1600, CAPTURED_NS)
    doctor.wait("input", lambda level, message, _: level == 2 and "clipping" in message)
    speaker.send(b"\0\1" * 1600, CAPTURED_NS + 50 * SECOND)
    doctor.wait("input", lambda level, message, v: v.get("gaps") == "1")
    sent = [51]

    def flows(level: int, *_: Any) -> bool:
        sent[0] += 1
        speaker.send(b"\0\1" * 1600, CAPTURED_NS + 50 * SECOND + sent[0] * SECOND // 10)
        return level == 0

    doctor.wait("input", flows)


def test_muted_is_no_fault(graph: Graph, doctor: Doctor) -> None:
    speaker = Speaker(graph)
    start(graph.recognizer(diagnostics__period_s=0.1))
    speaker.wait_for_listener()
    call(graph, "set_muted", muted=True)
    speaker.send(b"\0\1" * 1600, CAPTURED_NS)
    values = doctor.wait("input", lambda level, message, _: (level, message) == (0, "muted"))
    doctor.wait("input", lambda _, __, v: float(v["muted (s dropped)"]) == pytest.approx(0.1))
    assert values
