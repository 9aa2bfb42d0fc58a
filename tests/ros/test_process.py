"""The node as a process: it starts by itself, ends when it is told to, and says what is wrong."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from parakeet_asr_msgs.srv import Reset

from harness import (
    CAPTURED_NS,
    SECOND,
    Ears,
    Graph,
    Speaker,
    State,
    Transcript,
    call,
    node_process,
    sample,
)

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


LISTENING = ("-p", "autostart:=true")


@contextmanager
def driver(graph: Graph, name: str, chunks: int, later_s: int = 0) -> Iterator[subprocess.Popen[str]]:
    """speaker_process.py."""
    here = Path(__file__).parent
    paths = os.pathsep.join([str(here), str(here.parents[1] / "examples"), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "ROS_DOMAIN_ID": str(graph.domain_id), "PYTHONPATH": paths}
    command = [sys.executable, str(here / "speaker_process.py"), name, str(chunks), str(later_s)]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def end_cleanly(process: subprocess.Popen[str], *numbers: signal.Signals) -> str:
    """Send the signals; what the process said on its way out, which is to be short of complaints."""
    for number in numbers:
        process.send_signal(number)
    _, output = process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == 0, output
    for complaint in ("Traceback", "invalid", "Error", "terminate called"):
        assert complaint not in output
    return str(output)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("times", [2, 5])
def test_who_presses_ctrl_c_again_gets_a_clean_end_too(
    graph: Graph, number: signal.Signals, times: int
) -> None:
    ears = Ears(graph.node("ears"))
    with node_process(graph.domain_id, *LISTENING) as process:
        graph.spin_until(lambda: ears.state() == State.LISTENING, "listening")
        end_cleanly(process, *[number] * times)


def test_a_node_that_is_busy_ends_cleanly(graph: Graph) -> None:
    ears, speaker = Ears(graph.node("ears")), Speaker(graph)
    with node_process(graph.domain_id, *LISTENING) as process:
        graph.spin_until(lambda: ears.state() == State.LISTENING, "listening")
        speaker.wait_for_listener()
        stamp_ns = CAPTURED_NS
        while not ears.partials:
            stamp_ns = speaker.say("synth-a-049", stamp_ns)
        end_cleanly(process, signal.SIGINT, signal.SIGINT)


def test_a_publisher_that_is_killed_in_the_middle_of_a_word_harms_nobody(graph: Graph) -> None:
    ears = Ears(graph.node("ears"))
    with node_process(graph.domain_id, *LISTENING) as process:
        graph.spin_until(lambda: ears.state() == State.LISTENING, "listening")
        with driver(graph, "synth-a-135", 15) as first:
            graph.spin_until(lambda: any(p.text.startswith("Go to") for p in ears.partials), "words")
            first.send_signal(signal.SIGKILL)
            first.wait(TIMEOUT_S)
        with driver(graph, "synth-a-049", 60, later_s=10):  # a gap, at which the open utterance ends
            graph.spin_until(lambda: len(ears.finals) >= 2, "what the next one says")
        assert ears.finals[0].end_reason == Transcript.END_FORCED
        assert ears.finals[0].text.startswith("Go to")
        assert ears.finals[1].text == sample("synth-a-049").text
        assert process.poll() is None
        end_cleanly(process, signal.SIGTERM)


def test_ten_publishers_at_once_are_survived(graph: Graph) -> None:
    """Ten voices in pieces on one topic are nonsense; the node says so, answers, and hears the last one."""
    ears, speakers = Ears(graph.node("ears")), [Speaker(graph) for _ in range(10)]
    with node_process(graph.domain_id, *LISTENING) as process:
        graph.spin_until(lambda: ears.state() == State.LISTENING, "listening")
        for speaker in speakers:
            speaker.wait_for_listener()
        for chunk in range(20):
            for number, speaker in enumerate(speakers):  # clocks that have nothing in common
                stamp_ns = CAPTURED_NS + number * 1000 * SECOND + chunk * SECOND // 10
                speaker.send(b"\1\2" * 1600, stamp_ns)
        assert call(graph, Reset, "/asr/parakeet_asr/reset", Reset.Request()).success
        for speaker in speakers[1:]:
            speaker.leave()
        ears.finals.clear()
        speakers[0].say("synth-a-135", CAPTURED_NS + 20_000 * SECOND)
        wanted = sample("synth-a-135").text
        graph.spin_until(lambda: wanted in [final.text for final in ears.finals], "the last voice")
        end_cleanly(process, signal.SIGINT)


def test_a_node_that_is_killed_and_started_again_under_load_hears_again(graph: Graph) -> None:
    ears = Ears(graph.node("ears"))
    with driver(graph, "synth-a-049", 100_000):
        for _ in range(2):
            with node_process(graph.domain_id, *LISTENING) as process:
                heard = len(ears.finals)
                graph.spin_until(lambda heard=heard: len(ears.finals) > heard, "a final", timeout_s=60)
                process.send_signal(signal.SIGKILL)
                process.wait(TIMEOUT_S)
        with node_process(graph.domain_id, *LISTENING) as process:
            heard = len(ears.finals)
            graph.spin_until(lambda: len(ears.finals) > heard, "a final", timeout_s=60)
            end_cleanly(process, signal.SIGTERM)
