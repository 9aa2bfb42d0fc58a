#!/usr/bin/env python3
"""Play the sample utterances on an AudioChunk topic, as a microphone driver would.

    python examples/audio_publisher.py [--ros-args -r audio:=/asr/audio]

Chunks of 100 ms, each stamped with the capture time of its first sample and sent when its last one is
"there". Before it starts it waits until somebody listens. One JSON line per utterance goes to stdout
when it begins.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator

import numpy as np
import rclpy
from parakeet_asr_msgs.msg import AudioChunk
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node
from rclpy.qos import QoSProfile

from parakeet_asr.records import SAMPLE_RATE_HZ, FloatArray
from parakeet_asr.ros.messages import audio_message
from parakeet_asr.sources.audio_file import read_audio
from sample_list import Sample, read_samples

CHUNK_SAMPLES = SAMPLE_RATE_HZ // 10
PAUSE_S = 1.0  # longer than endpoint.silence_s, so that every sample becomes an utterance
LISTENER_TIMEOUT_S = 60.0


class AudioPublisher(Node):
    """Publishes samples in real time."""

    def __init__(self) -> None:
        """Create the publisher."""
        super().__init__("audio_publisher")
        self._publisher = self.create_publisher(AudioChunk, "audio", QoSProfile(depth=50))
        self._sequence = 0

    def wait_for_listener(self) -> bool:
        """Wait until somebody subscribes; False when nobody does in time."""
        end_s = time.monotonic() + LISTENER_TIMEOUT_S
        while not self._publisher.get_subscription_count():
            if time.monotonic() > end_s or not self.context.ok():
                return False
            time.sleep(0.05)
        return True

    def play(self, samples: list[Sample]) -> None:
        """Publish everything, at the speed of sound."""
        start_ns, position = time.time_ns(), 0
        for sample, chunk in _chunks(samples):
            begin_ns = start_ns + position * 1_000_000_000 // SAMPLE_RATE_HZ
            if sample is not None:
                print(json.dumps({"audio": sample.path.name, "start_ns": begin_ns}), flush=True)
            position += len(chunk)
            ready_ns = start_ns + position * 1_000_000_000 // SAMPLE_RATE_HZ
            time.sleep(max(0.0, (ready_ns - time.time_ns()) / 1e9))
            self._publish(chunk, begin_ns)

    def _publish(self, samples: FloatArray, stamp_ns: int) -> None:
        self._sequence += 1
        message = audio_message(samples, stamp_ns, sequence=self._sequence, frame_id="microphone")
        self._publisher.publish(message)


def _chunks(samples: list[Sample]) -> Iterator[tuple[Sample | None, FloatArray]]:
    """Pieces of at most 100 ms; the first piece of a sample comes with it."""
    pause = np.zeros(round(PAUSE_S * SAMPLE_RATE_HZ), np.float32)
    for sample in samples:
        for begin, sound in ((None, pause), (sample, read_audio(sample.path))):
            for start in range(0, len(sound), CHUNK_SAMPLES):
                yield (begin if start == 0 else None), sound[start : start + CHUNK_SAMPLES]
    for start in range(0, len(pause), CHUNK_SAMPLES):
        yield None, pause[start : start + CHUNK_SAMPLES]


def main() -> None:
    """Play once."""
    rclpy.init()
    node = AudioPublisher()
    try:
        if not node.wait_for_listener():
            sys.exit("audio_publisher: nobody subscribed to the audio topic")
        node.play(read_samples())
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    finally:
        node.destroy_node()
        rclpy.try_shutdown()


if __name__ == "__main__":
    main()
