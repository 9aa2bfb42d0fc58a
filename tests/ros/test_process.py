"""The node as a process: it starts by itself, ends when it is told to, and says what is wrong."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from harness import Ears, Graph, State

TIMEOUT_S = 30


@contextmanager
def node_process(domain_id: int, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """`asr_node` in namespace /asr."""
    command = [sys.executable, "-m", "parakeet_asr.ros.node", "--ros-args", "-r", "__ns:=/asr", *arguments]
    environment = {**os.environ, "ROS_DOMAIN_ID": str(domain_id)}
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


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
