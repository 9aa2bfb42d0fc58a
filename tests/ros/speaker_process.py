"""A microphone driver in a process of its own, to be killed: says a sample again and again on /asr/audio."""

from __future__ import annotations

import sys
import time

import numpy as np

from harness import RELIABLE, SECOND, AudioChunk, Node, encode, rclpy, sample, write_header
from parakeet_asr.sources.audio_file import read_audio


def main(name: str, chunks: int, later_s: int) -> None:
    """Publish ``chunks`` pieces of 0.1 s without a pause, then stay; stamps are the time and ``later_s``."""
    rclpy.init()
    publisher = Node("driver").create_publisher(AudioChunk, "/asr/audio", RELIABLE)
    sound = np.concatenate([read_audio(sample(name).path), np.zeros(16_000, np.float32)])
    while not publisher.get_subscription_count():
        time.sleep(0.01)
    begun_ns = time.time_ns() + later_s * SECOND
    for number in range(chunks):
        at = number * 1600
        message = AudioChunk(sample_rate=16_000, channels=1, encoding="S16LE", sequence=number + 1)
        write_header(message.header, begun_ns + at * SECOND // 16_000)
        piece = sound[at % len(sound) :][:1600]
        message.data.frombytes(encode(piece[:, None], "S16LE"))
        publisher.publish(message)
        time.sleep(0.01)  # ten times as fast as sound: DDS gets a chance
    time.sleep(600)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
