"""The messages of ros-drivers/audio_common; run by tests/ros/test_audio_types.py."""

from __future__ import annotations

import io
import struct
from typing import Any

import pytest
import soundfile
from audio_common_msgs.msg import AudioData, AudioDataStamped, AudioInfo
from rclpy.qos import DurabilityPolicy, QoSProfile

from harness import (
    CAPTURED_NS,
    FAILURE,
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
from parakeet_asr.sources.audio_file import read_audio

LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
SPOKEN = "synth-a-135"


class StampedSpeaker(Speaker):
    """As audio_capture on `audio_stamped`."""

    message_class = AudioDataStamped

    def message(self, data: bytes, stamp_ns: int, *_: Any) -> Any:
        message = AudioDataStamped()
        write_header(message.header, stamp_ns)
        message.audio.data.frombytes(data)
        return message


class DataSpeaker(Speaker):
    """As audio_capture on `audio`."""

    message_class = AudioData

    def message(self, data: bytes, *_: Any) -> Any:
        message = AudioData()
        message.data.frombytes(data)
        return message


def describe(graph: Graph, coding: str, sample_format: str, channels: int, rate: int) -> Any:
    """Publish AudioInfo beside the audio, as audio_capture does."""
    publisher = graph.node("capture").create_publisher(AudioInfo, "/asr/audio_info", LATCHED)
    publisher.publish(
        AudioInfo(coding_format=coding, sample_format=sample_format, channels=channels, sample_rate=rate)
    )
    return publisher


def hear(graph: Graph, ears: Ears, speaker: Speaker, **speech: Any) -> Any:
    speaker.wait_for_listener()
    speaker.say(SPOKEN, **speech)
    graph.spin_until(lambda: ears.finals, "a final")
    return ears.finals[0]


@pytest.mark.parametrize("late", [False, True], ids=["early", "late"])
def test_stamped_data_have_capture_times(graph: Graph, late: bool) -> None:
    ears = Ears(graph.node("ears"))
    node = graph.recognizer()
    speaker = None if late else StampedSpeaker(graph)
    start(node)
    final = hear(graph, ears, speaker or StampedSpeaker(graph))
    assert final.text == sample(SPOKEN).text
    assert final.header.frame_id == "head_microphone"
    assert 0 <= nanoseconds(final.header.stamp) - CAPTURED_NS < SECOND
    assert node.source.type_name == "audio_common_msgs/msg/AudioDataStamped"


def test_the_format_can_be_declared_by_parameters(graph: Graph) -> None:
    ears = Ears(graph.node("ears"))
    start(graph.recognizer(audio__encoding="S32LE", audio__channels=2, audio__sample_rate=44_100))
    final = hear(graph, ears, DataSpeaker(graph), encoding="S32LE", channels=2, rate=44_100)
    assert final.text == sample(SPOKEN).text


def test_the_format_is_taken_from_audio_info(graph: Graph) -> None:
    ears = Ears(graph.node("ears"))
    describe(graph, "wave", "F32LE", 2, 48_000)
    start(graph.recognizer())
    speaker = DataSpeaker(graph)
    speaker.wait_for_listener()
    node = graph.node("probe")
    graph.spin_until(lambda: node.count_subscribers("/asr/audio_info"), "a subscription of audio_info")
    graph.spin_until(lambda: _described(graph), "audio_info")
    final = hear(graph, ears, speaker, encoding="F32LE", channels=2, rate=48_000)
    assert final.text == sample(SPOKEN).text


def _described(graph: Graph) -> bool:
    (node,) = (n for n in graph.executor.get_nodes() if n.get_name() == "parakeet_asr")
    return getattr(node.source._reader, "_info", None) is not None


def test_what_audio_info_calls_mp3_is_refused_until_it_is_wave(graph: Graph) -> None:
    ears = Ears(graph.node("ears"))
    first = describe(graph, "mp3", "S16LE", 1, 16_000)
    node = graph.recognizer()
    start(node)
    speaker = DataSpeaker(graph)
    speaker.wait_for_listener()
    graph.spin_until(lambda: _described(graph), "audio_info")
    for _ in range(3):
        speaker.send(bytes(100), 0)
    graph.spin_until(lambda: ears.state() == State.ERROR, "the error state")
    assert "format:=wave" in ears.states[-1].text
    assert node.source.bad == 3
    first.publish(AudioInfo(coding_format="wave", sample_format="S16LE", channels=1, sample_rate=16_000))
    graph.spin_until(lambda: node.source._reader._info.coding_format == "wave", "the new audio_info")
    assert hear(graph, ears, speaker).text == sample(SPOKEN).text
    graph.spin_until(lambda: ears.state() == State.LISTENING, "the end of the trouble")


def test_a_description_is_forgotten_with_its_publisher(graph: Graph) -> None:
    ears = Ears(graph.node("ears"))
    capture = graph.node("capture")
    info = capture.create_publisher(AudioInfo, "/asr/audio_info", LATCHED)
    info.publish(AudioInfo(coding_format="mp3", channels=1, sample_rate=16_000))
    start(graph.recognizer())
    speaker = DataSpeaker(graph)
    graph.spin_until(lambda: _described(graph), "audio_info")
    capture.destroy_publisher(info)
    graph.spin_until(lambda: not _described(graph), "audio_info to be forgotten")
    assert hear(graph, ears, speaker).text == sample(SPOKEN).text


@pytest.mark.parametrize("size", [0, 1000], ids=["a frame each", "pieces of 1000 bytes"])
def test_mp3_bytes_are_refused_and_pcm_is_heard_afterwards(graph: Graph, size: int) -> None:
    ears = Ears(graph.node("ears"))
    node = graph.recognizer()
    start(node)
    speaker = StampedSpeaker(graph)
    speaker.wait_for_listener()
    pieces = mp3_pieces(size)
    for number, piece in enumerate(pieces):
        speaker.send(piece, CAPTURED_NS + number * SECOND // 10)
    graph.spin_until(lambda: ears.state() == State.ERROR, "the error state")
    assert "found mp3" in ears.states[-1].text
    graph.spin_until(lambda: node.source.received == len(pieces), "all of it")
    assert node.source.bad >= len(pieces) - 2
    assert hear(graph, ears, speaker, stamp_ns=CAPTURED_NS + 1000 * SECOND).text == sample(SPOKEN).text


def mp3_pieces(size: int) -> list[bytes]:
    """A sample as mp3: frame by frame as an encoder gives it, or cut into equal pieces."""
    file = io.BytesIO()
    soundfile.write(file, read_audio(sample(SPOKEN).path), 16_000, format="MP3")
    data = file.getvalue()
    if size:
        return [data[i : i + size] for i in range(0, len(data), size)]
    starts = [i for i in range(len(data) - 1) if data[i] == 0xFF and data[i + 1] in (0xF2, 0xF3)]
    from parakeet_asr.sources.compressed import _mp3_frame_bytes

    pieces, start_byte = [], starts[0]
    while length := _mp3_frame_bytes(data, start_byte):
        pieces.append(data[start_byte : start_byte + length])
        start_byte += length
    return pieces


def test_a_wav_header_that_agrees_is_skipped(graph: Graph) -> None:
    ears = Ears(graph.node("ears"))
    node = graph.recognizer()
    start(node)
    speaker = StampedSpeaker(graph)
    speaker.wait_for_listener()
    speaker.send(wav_header(8_000), CAPTURED_NS)
    speaker.send(wav_header(16_000), CAPTURED_NS)
    final = hear(graph, ears, speaker)
    assert final.text == sample(SPOKEN).text
    assert node.source.bad == 1  # the one that says 8000 Hz


def wav_header(rate: int) -> bytes:
    form = struct.pack("<HHIIHH", 1, 1, rate, 2 * rate, 2, 16)
    return b"RIFF\0\0\0\0WAVEfmt " + struct.pack("<I", 16) + form + b"data\0\0\0\0"


def test_the_type_of_the_other_package_of_this_name_is_told_apart(graph: Graph) -> None:
    ears = Ears(graph.node("ears"))
    node = graph.recognizer(audio__topic_type="audio_common_msgs/msg/AudioStamped")
    assert node.trigger_configure() == SUCCESS
    assert node.trigger_activate() == FAILURE
    graph.spin_until(lambda: ears.state() == State.ERROR, "the error state")
    assert "another package of the same name" in ears.states[-1].text
    assert "mgonzs13" in ears.states[-1].text
