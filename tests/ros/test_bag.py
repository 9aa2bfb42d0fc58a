"""The same recording gives the same transcripts to the byte, at whatever speed it is played."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness import (
    CAPTURED_NS,
    SECOND,
    AudioChunk,
    Ears,
    Graph,
    encode,
    nanoseconds,
    sample,
    start,
    write_header,
)
from parakeet_asr.sources.audio_file import read_audio

rosbag2 = pytest.importorskip("rosbags.rosbag2", reason="rosbags is not installed (requirements/dev.txt)")

SAMPLES = ("synth-a-049", "synth-a-135")
CHUNK = 1600


@pytest.fixture
def bag(root: Path, tmp_path: Path) -> Path:
    """Two samples, each with a pause behind it but the last, as AudioChunk."""
    from rclpy.serialization import serialize_message
    from rosbags.typesys import Stores, get_types_from_msg, get_typestore

    kind = "parakeet_asr_msgs/msg/AudioChunk"
    store = get_typestore(Stores.ROS2_JAZZY)
    definition = (root / "parakeet_asr_msgs/msg/AudioChunk.msg").read_text(encoding="utf-8")
    store.register(get_types_from_msg(definition, kind))
    pause = np.zeros(16_000, np.float32)
    first, last = (read_audio(sample(name).path) for name in SAMPLES)
    sound = np.concatenate([first, pause, last])
    with rosbag2.Writer(tmp_path / "bag", version=9) as writer:
        connection = writer.add_connection("/microphone", kind, typestore=store)
        for number, at in enumerate(range(0, len(sound), CHUNK), 1):
            message = AudioChunk(sample_rate=16_000, channels=1, encoding="S16LE", sequence=number)
            stamp_ns = CAPTURED_NS + at * SECOND // 16_000
            write_header(message.header, stamp_ns)
            message.data.frombytes(encode(sound[at : at + CHUNK, None], "S16LE"))
            writer.write(connection, stamp_ns + SECOND // 10, serialize_message(message))
    return tmp_path / "bag"


def play(graph: Graph, root: Path, bag: Path, rate: float) -> dict[str, Any]:
    """Play with the player of the examples, in a process of its own, while the graph is spun."""
    command = [sys.executable, str(root / "examples/bag_player.py"), str(bag), "--rate", str(rate)]
    environment = {**os.environ, "ROS_DOMAIN_ID": str(graph.domain_id)}
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as player:
        try:
            graph.spin_until(lambda: player.poll() is not None, "the end of the recording", timeout_s=120)
        finally:
            player.kill()
        output, errors = player.communicate()
    assert player.returncode == 0, errors
    return dict(json.loads(output))


def comparable(finals: list[Any]) -> list[bytes]:
    """To the byte, but for how long it took."""
    from rclpy.serialization import serialize_message

    for final in finals:
        final.latency.sec = final.latency.nanosec = 0
    return [serialize_message(final) for final in finals]


def test_finals_are_the_same_to_the_byte_at_any_speed(graph: Graph, root: Path, bag: Path) -> None:
    ears = Ears(graph.node("ears"))
    node = graph.recognizer(diagnostics__period_s=0.1)
    heard = []
    for rate in (1.0, 0.0, 0.0):
        start(node)
        ears.finals.clear()
        report = play(graph, root, bag, rate)
        graph.spin_until(lambda: len(ears.finals) == 2, "two finals")
        assert (report["dropped_s"], report["lost_messages"], report["gaps"]) == (0.0, 0.0, 0.0)
        assert report["messages"] == node.source.received
        heard.append(list(ears.finals))
        node.trigger_deactivate()
        node.trigger_cleanup()
    assert [final.text for final in heard[0]] == [sample(name).text for name in SAMPLES]
    duration_s = sum(len(read_audio(sample(name).path)) for name in SAMPLES) / 16_000 + 1
    for final in heard[0]:
        assert 0 <= nanoseconds(final.header.stamp) - CAPTURED_NS < duration_s * SECOND
    assert comparable(heard[0]) == comparable(heard[1]) == comparable(heard[2])
    assert len({final.utterance_id for final in heard[0]}) == 2


def test_a_topic_that_the_recording_does_not_have_is_named(root: Path, bag: Path) -> None:
    command = [sys.executable, str(root / "examples/bag_player.py"), str(bag), "--topic", "/other"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert result.returncode == 1
    assert "/microphone" in result.stderr
