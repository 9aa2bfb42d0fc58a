"""The node as a process: it starts by itself, ends when it is told to, and says what is wrong."""

from __future__ import annotations

import signal

import pytest

from harness import Ears, Graph, State, node_process

TIMEOUT_S = 30


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_listens_and_ends_cleanly_on_a_signal(graph: Graph, number: signal.Signals) -> None:
    ears = Ears(graph.node("ears"))
    with node_process(graph.domain_id, "-p", "autostart:=true") as process:
        graph.spin_until(lambda: ears.state() == State.LISTENING or process.poll() is not None, "listening")
        process.send_signal(number)
        _, output = process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == 0, output
    assert "Traceback" not in output
    assert "invalid" not in output


@pytest.mark.parametrize("value", ["soon", "-1.0"])
def test_a_bad_parameter_is_one_clear_line(graph: Graph, value: str) -> None:
    with node_process(graph.domain_id, "-p", f"endpoint.silence_s:={value}") as process:
        _, output = process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == 1
    assert "asr_node: endpoint.silence_s" in output
    assert "Traceback" not in output
