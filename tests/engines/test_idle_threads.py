"""Nothing computes beside the thread that was asked to: docs/decisions/0015-idle-threads.md."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

_PROGRAM = """
import threading
from pathlib import Path

import numpy as np

from parakeet_asr.core.features import FeatureExtractor
from parakeet_asr.core.model_spec import FeatureSpec
from parakeet_asr.engines.silero import SileroDetector

sound = np.random.default_rng(0).standard_normal(16_000 * 60).astype(np.float32) * np.float32(0.1)
detector = SileroDetector()


def work():
    for mels in (64, 80, 128):
        FeatureExtractor(FeatureSpec("nemo", mels, "none")).log_mel(sound)
    for start in range(0, len(sound) - detector.frame_samples, detector.frame_samples):
        detector.probability(sound[start : start + detector.frame_samples])


def ticks():
    own, others = 0, 0
    for task in Path("/proc/self/task").iterdir():
        fields = (task / "stat").read_text().rpartition(")")[2].split()
        spent = int(fields[11]) + int(fields[12])
        if int(task.name) == threading.get_native_id():
            own = spent
        else:
            others += spent
    return np.array([own, others])


work()  # OpenBLAS's threads spin for a moment when they are born
before = ticks()
work()
print(*(ticks() - before))
"""


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="threads are counted in /proc")
@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="with one core no library starts threads")
def test_features_and_voice_detection_stay_on_their_thread() -> None:
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("OMP", "OPENBLAS"))
    }
    run = subprocess.run(
        [sys.executable, "-c", _PROGRAM], env=environment, capture_output=True, text=True, check=True
    )
    own, others = map(int, run.stdout.split())
    assert own > 10  # of a hundredth of a second: it did work
    assert others <= 1
