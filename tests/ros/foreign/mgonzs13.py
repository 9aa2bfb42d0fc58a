"""The messages of mgonzs13/audio_common; run by tests/ros/test_audio_types.py."""

from __future__ import annotations

from typing import Any

import pytest
from audio_common_msgs.msg import AudioStamped

from harness import (
    BEST_EFFORT,
    CAPTURED_NS,
    FAILURE,
    RELIABLE,
    SECOND,
    SUCCESS,
    Ears,
    Graph,
    Speaker,
    State,
    nanoseconds,
    sample,
    start,
    write_header,
)

FORMATS = {  # encoding -> PortAudio's number and the field
    "F32LE": (1, "float32_data"),
    "S32LE": (2, "int32_data"),
    "S16LE": (8, "int16_data"),
    "S8": (16, "int8_data"),
    "U8": (32, "uint8_data"),
}


class StampedSpeaker(Speaker):
    """As audio_capturer_node."""

    message_class = AudioStamped
    format_number = 0  # another one than that of the encoding

    def message(self, data: bytes, stamp_ns: int, encoding: str, channels: int, rate: int) -> Any:
        number, field = FORMATS[encoding]
        message = AudioStamped()
        write_header(message.header, stamp_ns)
        getattr(message.audio.audio_data, field).frombytes(data)
        info = message.audio.info
        info.format, info.channels, info.rate = self.format_number or number, channels, rate
        info.chunk = len(data) // channels
        return message


@pytest.mark.parametrize("encoding", FORMATS)
@pytest.mark.parametrize(("channels", "rate"), [(1, 16_000), (2, 44_100)])
def test_every_sample_type_is_heard_with_capture_times(
    graph: Graph, encoding: str, channels: int, rate: int
) -> None:
    ears = Ears(graph.node("ears"))
    node = graph.recognizer()
    start(node)
    speaker = StampedSpeaker(graph)
    speaker.wait_for_listener()
    speaker.say("synth-a-135", encoding=encoding, channels=channels, rate=rate)
    graph.spin_until(lambda: ears.finals, "a final")
    (final,) = ears.finals
    assert final.text.lower().startswith("go to room")  # 8 bits are noisy
    assert final.header.frame_id == "head_microphone"
    assert 0 <= nanoseconds(final.header.stamp) - CAPTURED_NS < SECOND
    assert node.source.type_name == "audio_common_msgs/msg/AudioStamped"
    assert node.source.bad == 0


@pytest.mark.parametrize("qos", [RELIABLE, BEST_EFFORT], ids=["reliable", "best effort"])
@pytest.mark.parametrize("late", [False, True], ids=["early", "late"])
def test_any_publisher_is_heard(graph: Graph, qos: Any, late: bool) -> None:
    ears = Ears(graph.node("ears"))
    node = graph.recognizer()
    speaker = None if late else StampedSpeaker(graph, qos)
    start(node)
    speaker = speaker or StampedSpeaker(graph, qos)
    speaker.wait_for_listener()
    speaker.say("synth-a-135")
    graph.spin_until(lambda: ears.finals, "a final")
    assert ears.finals[0].text == sample("synth-a-135").text


@pytest.mark.parametrize(("number", "message"), [(4, "expected 1"), (1, "the samples are in int16_data")])
def test_a_format_that_cannot_be_is_named(graph: Graph, number: int, message: str) -> None:
    ears = Ears(graph.node("ears"))
    node = graph.recognizer()
    start(node)
    speaker = StampedSpeaker(graph)
    speaker.wait_for_listener()
    speaker.format_number = number
    for _ in range(3):
        speaker.send(bytes(320), CAPTURED_NS)
    graph.spin_until(lambda: ears.state() == State.ERROR, "the error state")
    assert message in ears.states[-1].text
    assert node.source.bad == 3


def test_the_type_of_the_other_package_of_this_name_is_told_apart(graph: Graph) -> None:
    ears = Ears(graph.node("ears"))
    node = graph.recognizer(audio__topic_type="audio_common_msgs/msg/AudioData")
    assert node.trigger_configure() == SUCCESS
    assert node.trigger_activate() == FAILURE
    graph.spin_until(lambda: ears.state() == State.ERROR, "the error state")
    assert "another package of the same name" in ears.states[-1].text
    assert "ros-drivers" in ears.states[-1].text
