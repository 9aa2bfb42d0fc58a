"""Source `microphone` and the file's /clock on a living node; the device itself is in tests/sources."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest

from harness import FAILURE, SUCCESS, Ears, Graph, State, encode, nanoseconds, sample, start
from parakeet_asr.sources.audio_file import read_audio
from scripted_portaudio import DEVICES, ScriptedPortAudio


@pytest.fixture
def portaudio(monkeypatch: pytest.MonkeyPatch) -> ScriptedPortAudio:
    scripted = ScriptedPortAudio()
    monkeypatch.setattr("parakeet_asr.sources.microphone.load_portaudio", lambda: scripted)
    return scripted


def speak(graph: Graph, stream: Any, name: str) -> None:
    """A sample and a second of silence into an open device, at the speed of sound, as its stamps are."""
    sound = np.concatenate([read_audio(sample(name).path), np.zeros(16_000, np.float32)])
    channels, began_s = stream.options["channels"], time.monotonic()
    for begin in range(0, len(sound), 1600):
        piece = np.repeat(sound[begin : begin + 1600, None], channels, axis=1)
        due_s = began_s + (begin + len(piece)) / 16_000
        graph.spin_until(lambda due_s=due_s: time.monotonic() >= due_s, "the time to speak on")
        stream.give_bytes(encode(piece, "S16LE"))


def test_a_microphone_is_heard_lost_and_heard_again(graph: Graph, portaudio: ScriptedPortAudio) -> None:
    ears = Ears(graph.node("ears"))
    node = graph.recognizer(audio__source="microphone", audio__device="respeaker", audio__frame_id="head")
    graph.spin_until(lambda: node.count_subscribers("/asr/final"), "the listener")
    start(node)
    speak(graph, portaudio.streams[0], "synth-a-135")
    graph.spin_until(lambda: len(ears.finals) == 1, "a final")
    final = ears.finals[0]
    assert final.text == sample("synth-a-135").text
    assert final.source == "ReSpeaker 4 Mic Array: USB Audio (hw:1,0)"
    assert final.header.frame_id == "head"
    assert abs(nanoseconds(final.header.stamp) - node.get_clock().now().nanoseconds) < 60_000_000_000
    portaudio.streams[0].active = False
    graph.spin_until(lambda: ears.state() == State.ERROR, "the error state")
    assert "was it unplugged?" in ears.states[-1].text
    assert portaudio.opened_again.wait(20)  # after the first wait of a second
    speak(graph, portaudio.streams[1], "synth-a-135")
    graph.spin_until(lambda: len(ears.finals) == 2, "a final of the microphone that came back")
    assert ears.finals[1].text == sample("synth-a-135").text
    assert node.source.reopened == 1


def test_a_microphone_that_is_not_there_refuses_activation_and_lists_what_is(
    graph: Graph, portaudio: ScriptedPortAudio
) -> None:
    ears = Ears(graph.node("ears"))
    node = graph.recognizer(audio__source="microphone", audio__device="yeti")
    assert node.trigger_configure() == SUCCESS
    assert node.trigger_activate() == FAILURE
    graph.spin_until(lambda: ears.state() == State.ERROR, "the error state")
    assert all(device.name in ears.states[-1].text for device in DEVICES)


def test_a_file_can_be_the_clock_of_others(graph: Graph) -> None:
    from rosgraph_msgs.msg import Clock

    ears, client, times = Ears(graph.node("ears")), graph.node("client"), []
    client.create_subscription(Clock, "/clock", lambda m: times.append(nanoseconds(m.clock)), 100)
    node = graph.recognizer(
        audio__source="file",
        audio__file=str(sample("synth-a-135").path),
        audio__publish_clock=True,
        audio__frame_id="head",
    )
    graph.spin_until(lambda: node.count_subscribers("/asr/final"), "the listener")
    start(node)
    graph.spin_until(lambda: ears.finals and len(times) > 5, "a final and the time")
    (final,) = ears.finals
    assert final.header.frame_id == "head"
    assert times == sorted(times)
    assert times[0] <= nanoseconds(final.header.stamp) + nanoseconds(final.audio_duration) <= times[-1] + 1
    node.trigger_deactivate()
    graph.spin_until(lambda: not client.count_publishers("/clock"), "the end of the clock")
