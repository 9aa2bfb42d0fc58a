#!/usr/bin/env python3
"""Memory of the node as a process, for every profile in config/ and one or more models: `make bench-memory`.

    scripts/measure_memory.py [MODEL_DIRECTORY ...] [--profile NAME ...]

The node plays a recording as fast as it recognizes it: three utterances, and half a minute without a pause,
so that the longest turn that the profile allows is reached. Printed as a table: memory in RAM (VmRSS) before
a model is loaded, after it, and after the recording, and the highest on the way (VmHWM). Linux only.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "examples"))

PROFILES = ("asr", "low_memory", "ultra_low_memory")
IDLE_S = 2.0  # without computing for so long the node is done
BUSY_TICKS = 0.1 * os.sysconf("SC_CLK_TCK") * IDLE_S  # a node that waits has timers, too
START_TICKS = 0.3 * os.sysconf("SC_CLK_TCK")  # a node that has computed less is still starting
TIMEOUT_S = 1800.0
MIB = 1024  # kB


def main() -> None:
    """Measure everything that was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("models", nargs="*", default=["demo"], help="names or directories")
    parser.add_argument(
        "--profile", nargs="+", default=list(PROFILES), help="files in config/, without .yaml"
    )
    arguments = parser.parse_args()
    print("| Model | Profile | Node without a model | Model loaded | After speech | Highest |")
    print("|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        recording = write_recording(Path(folder) / "speech.wav")
        for model in arguments.models:
            for profile in arguments.profile:
                row = measure(model, ROOT / "config" / f"{profile}.yaml", recording)
                print(
                    f"| {Path(model).name} | {profile} | {' | '.join(f'{v:.0f} MiB' for v in row)} |",
                    flush=True,
                )


def write_recording(path: Path) -> Path:
    """Three of the sample utterances with pauses, then half a minute of them without."""
    import numpy as np
    import soundfile

    from parakeet_asr.sources.audio_file import read_audio
    from sample_list import read_samples

    sounds = [read_audio(sample.path) for sample in read_samples()]
    pause = np.zeros(16_000, np.float32)
    whole = [piece for sound in sounds[:3] for piece in (sound, pause)] + [*sounds, pause]
    soundfile.write(path, np.concatenate(whole), 16_000)
    return path


def measure(model: str, config: Path, recording: Path) -> tuple[float, float, float, float]:
    """MiB before and after loading, after the recording, and the highest."""
    given = {"model": model, "audio.source": "file", "audio.file": str(recording), "audio.realtime": "false"}
    arguments = ["--params-file", str(config)]
    arguments += [piece for name, value in given.items() for piece in ("-p", f"{name}:={value}")]
    with node_process(arguments) as node:
        wait_until_idle(node.pid)
        empty = memory(node.pid)["VmRSS"]
    with node_process([*arguments, "-p", "autostart:=true"]) as node:
        assert node.stderr is not None
        wait_for_line(node.stderr, "listening to")
        loaded = memory(node.pid)["VmRSS"]
        wait_for_line(node.stderr, "the file is over")
        wait_until_idle(node.pid)
        after = memory(node.pid)
    return empty / MIB, loaded / MIB, after["VmRSS"] / MIB, after["VmHWM"] / MIB


@contextmanager
def node_process(arguments: Sequence[str]) -> Iterator[subprocess.Popen[str]]:
    """The node, in a ROS domain that nobody else is likely to use."""
    command = [sys.executable, "-m", "parakeet_asr.ros.node", "--ros-args", *arguments]
    environment = {**os.environ, "ROS_DOMAIN_ID": "97", "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST"}
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as node:
        try:
            yield node
        finally:
            node.kill()


def memory(pid: int) -> dict[str, int]:
    """The lines of /proc/PID/status that are in kB."""
    lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    return {line.split(":")[0]: int(line.split()[1]) for line in lines if line.endswith(" kB")}


def wait_for_line(stream: IO[str], text: str) -> None:
    """Read the log of the node until a line has this text."""
    said = []
    for line in stream:
        said.append(line)
        if text in line:
            return
        if "[ERROR]" in line:
            break
    sys.exit(f"measure_memory: the node did not say {text!r}:\n{''.join(said[-5:])}")


def wait_until_idle(pid: int) -> None:
    """Until the process has started, and computes nothing for a while."""

    def computed() -> int:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        return int(fields[11]) + int(fields[12])  # utime, stime in ticks

    end_s = time.monotonic() + TIMEOUT_S
    before = -BUSY_TICKS
    while computed() < START_TICKS or computed() - before >= BUSY_TICKS:
        if time.monotonic() > end_s:
            sys.exit(f"measure_memory: the node is still busy after {TIMEOUT_S:g} s")
        before = computed()
        time.sleep(IDLE_S)


if __name__ == "__main__":
    main()
