"""Every type of audio message: ours, one of ROS, and two foreign packages of one name, built for the test.

LiveSpeech of hri_msgs, another foreign package, is tried the same way.

The foreign ones are tried in processes of their own, tests/ros/foreign/*.py, because they cannot be
installed together.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from foreign_interfaces import FAMILIES, Families
from harness import FAILURE, SUCCESS, Ears, Graph, Speaker, State, String, nanoseconds, sample, start


class ArraySpeaker(Speaker):
    """Publishes std_msgs/Int16MultiArray."""

    from std_msgs.msg import Int16MultiArray as message_class  # noqa: N813

    def message(self, data: bytes, stamp_ns: int, encoding: str, channels: int, rate: int) -> Any:
        message = self.message_class()
        message.data.frombytes(data)
        if channels > 1:
            from std_msgs.msg import MultiArrayDimension

            message.layout.dim = [MultiArrayDimension(size=n) for n in (len(data) // 2 // channels, channels)]
        return message


@pytest.fixture(scope="session")
def families(root: Path) -> Families:
    """Both foreign packages, built once."""
    return Families(root)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_types_of_a_foreign_package(families: Families, root: Path, family: str) -> None:
    """Everything in tests/ros/foreign/<family>.py, where its package is the one installed."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    command += [str(root / "tests/ros/foreign" / f"{family}.py")]
    environment = families.environment(family)
    result = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, timeout=600)
    assert result.returncode == 0, result.stdout + result.stderr
    assert " passed" in result.stdout
    assert "skipped" not in result.stdout


def test_a_type_whose_package_is_missing_is_named_with_its_source(graph: Graph, families: Families) -> None:
    ears = Ears(graph.node("ears"))
    node = graph.recognizer()
    start(node)
    publish = (
        "import rclpy; from audio_common_msgs.msg import AudioStamped; rclpy.init(); "
        "n = rclpy.create_node('m'); p = n.create_publisher(AudioStamped, '/asr/audio', 1); rclpy.spin(n)"
    )
    environment = {**families.environment("mgonzs13"), "ROS_DOMAIN_ID": str(graph.domain_id)}
    with subprocess.Popen([sys.executable, "-c", publish], env=environment) as publisher:
        graph.spin_until(lambda: ears.state() == State.ERROR, "the error state")
        publisher.kill()
    assert "audio_common_msgs/msg/AudioStamped" in ears.states[-1].text
    assert "mgonzs13" in ears.states[-1].text
    graph.spin_until(lambda: ears.state() == State.LISTENING, "the end of the trouble")


@pytest.mark.parametrize("channels", [1, 2])
def test_an_int16_array_is_understood_by_its_declaration_and_layout(graph: Graph, channels: int) -> None:
    ears = Ears(graph.node("ears"))
    node = graph.recognizer(audio__sample_rate=48_000, audio__frame_id="head")
    start(node)
    speaker = ArraySpeaker(graph)
    speaker.wait_for_listener()
    began_ns = node.get_clock().now().nanoseconds
    speaker.say("synth-a-135", channels=channels, rate=48_000)
    graph.spin_until(lambda: ears.finals, "a final")
    (final,) = ears.finals
    assert final.text == sample("synth-a-135").text
    assert final.header.frame_id == "head"
    assert abs(nanoseconds(final.header.stamp) - began_ns) < 2_000_000_000
    assert node.source.type_name == "std_msgs/msg/Int16MultiArray"


def test_one_channel_can_be_chosen(graph: Graph) -> None:
    """The first channel is noise; only the second one says something."""
    import numpy as np

    ears, speaker = Ears(graph.node("ears")), Speaker(graph)
    start(graph.recognizer(audio__channel=1))
    speaker.wait_for_listener()
    publish, noise = speaker.send, np.random.default_rng(0)

    def beside_noise(data: bytes, stamp_ns: int, *_: Any) -> None:
        voice = np.frombuffer(data, "<i2")
        loud = noise.integers(-20_000, 20_000, len(voice), "<i2")
        publish(np.stack([loud, voice], axis=1).tobytes(), stamp_ns, "S16LE", 2)

    speaker.send = beside_noise  # type: ignore[method-assign]
    speaker.say("synth-a-135")
    graph.spin_until(lambda: ears.finals, "a final")
    assert ears.finals[0].text == sample("synth-a-135").text


def test_a_type_that_is_no_sound_is_named_and_sound_is_heard_when_it_comes(
    graph: Graph, capfd: pytest.CaptureFixture[str]
) -> None:
    ears = Ears(graph.node("ears"))
    start(graph.recognizer())
    outsider = graph.outsider("chatter")
    wrong = outsider.create_publisher(String, "/asr/audio", 10)
    graph.spin_until(lambda: ears.state() == State.ERROR, "the error state")
    assert "std_msgs/msg/String" in ears.states[-1].text
    assert "understood are parakeet_asr_msgs/msg/AudioChunk" in ears.states[-1].text
    assert "[ERROR]" in (said := capfd.readouterr().err)
    assert "std_msgs/msg/String" in said
    outsider.destroy_publisher(wrong)
    graph.spin_until(lambda: ears.state() == State.LISTENING, "the end of the trouble")
    speaker = Speaker(graph)
    speaker.wait_for_listener()
    speaker.say("synth-a-135")
    graph.spin_until(lambda: ears.finals, "a final")
    assert ears.finals[0].text == sample("synth-a-135").text


def test_a_publisher_of_another_type_is_followed_when_the_first_one_leaves(graph: Graph) -> None:
    ears = Ears(graph.node("ears"))
    node = graph.recognizer()
    start(node)
    first = Speaker(graph)
    first.wait_for_listener()
    first.say("synth-a-135")
    graph.spin_until(lambda: len(ears.finals) == 1, "a final of the first type")
    first.leave()
    second = ArraySpeaker(graph)
    second.wait_for_listener()
    second.say("synth-a-135")
    graph.spin_until(lambda: len(ears.finals) == 2, "a final of the second type")
    assert ears.finals[0].text == ears.finals[1].text
    assert ears.finals[1].header.frame_id == ""
    assert node.source.type_name == "std_msgs/msg/Int16MultiArray"


def test_a_type_that_is_set_is_the_only_one(graph: Graph) -> None:
    ears = Ears(graph.node("ears"))
    start(graph.recognizer(audio__topic_type="std_msgs/msg/Int16MultiArray"))
    ours = Speaker(graph)
    graph.spin_until(lambda: ears.state() == State.ERROR, "the error state")
    assert "audio.topic_type is std_msgs/msg/Int16MultiArray" in ears.states[-1].text
    ours.leave()
    array = ArraySpeaker(graph)
    array.wait_for_listener()
    array.say("synth-a-135")
    graph.spin_until(lambda: ears.finals, "a final")


def test_a_type_that_is_set_but_not_installed_refuses_activation(graph: Graph) -> None:
    if "audio_common_msgs" in os.environ.get("AMENT_PREFIX_PATH", ""):
        pytest.skip("a foreign package is installed here")
    ears = Ears(graph.node("ears"))
    node = graph.recognizer(audio__topic_type="audio_common_msgs/msg/AudioDataStamped")
    assert node.trigger_configure() == SUCCESS
    assert node.trigger_activate() == FAILURE
    graph.spin_until(lambda: ears.state() == State.ERROR, "the error state")
    assert "ros-drivers" in ears.states[-1].text


def test_compressed_sound_is_refused_with_the_remedy_and_raw_sound_is_heard_afterwards(graph: Graph) -> None:
    """As AudioChunk: whatever its encoding says."""
    ears, speaker = Ears(graph.node("ears")), Speaker(graph)
    node = graph.recognizer()
    start(node)
    speaker.wait_for_listener()
    for number in range(4):
        speaker.send(b"OggS" + bytes(996), number)
    graph.spin_until(lambda: ears.state() == State.ERROR, "the error state")
    assert "found ogg" in ears.states[-1].text
    assert "format:=wave" in ears.states[-1].text
    graph.spin_until(lambda: node.source.bad == 4, "all four")
    speaker.say("synth-a-135")
    graph.spin_until(lambda: ears.finals, "a final")
    assert ears.finals[0].text == sample("synth-a-135").text
    assert [s.state for s in ears.states].count(State.ERROR) == 1
