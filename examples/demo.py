#!/usr/bin/env python3
"""Speech becomes text: `make demo`.

Three processes on real ROS 2 topics: the recognizer node, a publisher that plays the sample utterances
in real time, and this one, which shows what arrives on /asr/partial and /asr/final. Without ROS 2 the
same samples go through the library.
"""

from __future__ import annotations

import sys
import time
from importlib.util import find_spec

from report import Heard, summarize
from sample_list import read_samples


def main() -> int:
    """Run the demo; 0 when speech was recognized."""
    missing = [name for name in ("rclpy", "parakeet_asr_msgs") if find_spec(name) is None]
    if missing:
        print(f"{' and '.join(missing)} not found: no ROS 2 here, so the samples go through the library.\n")
        utterances = run_library()
    else:
        from demo_ros import run_ros

        utterances = run_ros()
    return 0 if summarize(utterances) else 1


def run_library() -> list[Heard]:
    """Recognize the samples one after the other."""
    from parakeet_asr import load_model

    utterances = []
    with load_model("demo") as model:
        model.warm_up()
        print(model.description)
        for sample in read_samples():
            began_s = time.monotonic()
            text = model.transcribe(sample.path).text
            latency_s = time.monotonic() - began_s
            print(f"  {1e3 * latency_s:5.0f} ms  {text}")
            utterances.append(Heard(sample.path.name, sample.text, sample.duration_s, text, latency_s))
    return utterances


if __name__ == "__main__":
    sys.exit(main())
