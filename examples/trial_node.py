#!/usr/bin/env python3
"""What the node costs and adds, measured with real processes: `make trial-node`.

    an empty room    processor time of the node while chunks of 100 ms of room noise come in, with the energy
                     gate and without it
    added latency    from publishing the chunk that completes an utterance to receiving its final, less what
                     the node itself says of that final (arrival of the last sample to publishing): what ROS
                     adds to the library
    latency          the sum, as a subscriber sees it

Wall times are those of this machine and its other tenants; processor times are not.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import rclpy
from parakeet_asr_msgs.msg import AudioChunk, State, Transcript
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile

from parakeet_asr.records import SAMPLE_RATE_HZ, FloatArray
from parakeet_asr.ros.messages import audio_message
from parakeet_asr.sources.audio_file import read_audio
from report import percentile
from sample_list import read_samples

CHUNK = SAMPLE_RATE_HZ // 10
NOISE_S = float(os.environ.get("TRIAL_NOISE_S", "60"))
WARM_S = 5.0
ROUNDS = int(os.environ.get("TRIAL_ROUNDS", "3"))
NANOSECONDS = 1_000_000_000
TIMEOUT_S = 60.0


class Trial(Node):
    """Publishes sound, and hears what the node says."""

    def __init__(self) -> None:
        """Create the topics."""
        super().__init__("trial")
        self._publisher = self.create_publisher(AudioChunk, "/asr/audio", QoSProfile(depth=50))
        latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        self.create_subscription(State, "/asr/state", self._on_state, latched)
        self.create_subscription(Transcript, "/asr/final", self._on_final, 10)
        self.finals: list[tuple[float, float]] = []  # when it came (monotonic), the node's own latency
        self.state = -1
        self._stamp_ns = time.time_ns()
        self._sequence = 0

    def wait(self, condition: Any, what: str) -> None:
        """Handle messages until the condition holds."""
        end_s = time.monotonic() + TIMEOUT_S
        while not condition():
            if time.monotonic() > end_s:
                sys.exit(f"trial_node: after {TIMEOUT_S:.0f} s still waiting for {what}")
            rclpy.spin_once(self, timeout_sec=0.01)

    def wait_for_node(self) -> None:
        """Until it listens to this publisher."""
        self.wait(lambda: self.state == State.LISTENING, "the node to listen")
        self.wait(self._publisher.get_subscription_count, "the subscription")

    def play(self, samples: FloatArray, speed: float = 1.0) -> list[float]:
        """Publish in chunks of 100 ms, each when its last sample is "there"; when each was published."""
        times_s, begun_s = [], time.monotonic()
        for start in range(0, len(samples), CHUNK):
            ready_s = begun_s + (start + CHUNK) / SAMPLE_RATE_HZ / speed
            while (left_s := ready_s - time.monotonic()) > 0:
                rclpy.spin_once(self, timeout_sec=left_s)
            times_s.append(time.monotonic())
            self._publish(samples[start : start + CHUNK])
        return times_s

    def _publish(self, samples: FloatArray) -> None:
        self._sequence += 1
        self._publisher.publish(audio_message(samples, self._stamp_ns, sequence=self._sequence))
        self._stamp_ns += len(samples) * NANOSECONDS // SAMPLE_RATE_HZ

    def _on_state(self, message: State) -> None:
        self.state = message.state

    def _on_final(self, message: Transcript) -> None:
        latency_s = message.latency.sec + message.latency.nanosec / NANOSECONDS
        self.finals.append((time.monotonic(), latency_s))


@contextmanager
def asr_node(*parameters: str) -> Iterator[int]:
    """The node in a process of its own; its process id."""
    command = [sys.executable, "-m", "parakeet_asr.ros.node", "--ros-args", "-r", "__ns:=/asr"]
    command += ["-p", "autostart:=true", "--log-level", "warn"]
    for parameter in parameters:
        command += ["-p", parameter]
    with subprocess.Popen(command) as process:
        try:
            yield process.pid
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(TIMEOUT_S)


def processor_s(process: int) -> float:
    """Processor time of all threads of a process so far."""
    fields = Path(f"/proc/{process}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def room_noise(seconds: float) -> FloatArray:
    """Pink noise at -50 dB."""
    count = round(seconds * SAMPLE_RATE_HZ)
    spectrum = np.fft.rfft(np.random.default_rng(0).standard_normal(count))
    noise = np.fft.irfft(spectrum / np.sqrt(np.maximum(np.arange(len(spectrum)), 20)), count)
    return np.asarray(noise / noise.std() * 10 ** (-50 / 20), np.float32)


def empty_room(trial: Trial, gated: bool) -> float:
    """Processor time of the node, of one core."""
    trial.state = -1
    with asr_node(f"vad.energy_gate:={str(gated).lower()}") as process:
        trial.wait_for_node()
        trial.play(room_noise(WARM_S))
        before_s = processor_s(process)
        trial.play(room_noise(NOISE_S))
        return (processor_s(process) - before_s) / NOISE_S


def latencies(trial: Trial) -> tuple[list[float], list[float]]:
    """What ROS adds to each final, and what a subscriber sees."""
    added_s, seen_s = [], []
    trial.state = -1
    pause = np.zeros(SAMPLE_RATE_HZ, np.float32)
    with asr_node() as _:
        trial.wait_for_node()
        for sample in read_samples() * ROUNDS:
            trial.finals.clear()
            times_s = trial.play(np.concatenate([read_audio(sample.path), pause]))
            trial.wait(lambda: trial.finals, "a final")
            came_s, own_s = trial.finals[-1]
            published_s = max((t for t in times_s if t <= came_s - own_s), default=times_s[0])
            added_s.append(came_s - published_s - own_s)
            seen_s.append(came_s - published_s)
    return added_s, seen_s


def row(name: str, values: Sequence[float]) -> str:
    """Percentiles in milliseconds."""
    return f"| {name} | {1e3 * percentile(values, 50):.1f} | {1e3 * percentile(values, 95):.1f} |"


def main() -> None:
    """Measure, and print tables."""
    rclpy.init()
    trial = Trial()
    load = os.getloadavg()[0] / (os.cpu_count() or 1)
    print(f"load of the machine before: {load:.1f} per core\n")
    print("| energy gate | processor time of the node in an empty room, % of a core |\n|---|---|")
    for gated in (True, False):
        print(f"| {'on' if gated else 'off'} | {100 * empty_room(trial, gated):.1f} |", flush=True)
    added_s, seen_s = latencies(trial)
    print(f"\n| finals ({len(seen_s)}) | p50, ms | p95, ms |\n|---|---|---|")
    print(row("added by ROS", added_s))
    print(row("latency as a subscriber sees it", seen_s))
    trial.destroy_node()
    rclpy.try_shutdown()


if __name__ == "__main__":
    main()
