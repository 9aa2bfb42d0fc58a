#!/usr/bin/env python3
"""A robot that talks, people who interrupt it, and what the recognizer makes of it: `make demo-duplex`.

Real processes on real ROS 2 topics: the recognizer node, a text-to-speech node and a bot that answers every
final. Here are the room, whose microphone hears people and the robot's own loudspeaker, and the people.
The same dialogue is played with `duplex.mode: full` and with `gate`.

    python examples/duplex/demo_duplex.py [--mode MODE ...] [--voice auto|espeak|recorded] [--room SEED]
"""

from __future__ import annotations

import argparse
import sys
from importlib.util import find_spec
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # the other examples

SCRIPT = (
    ("alone", "synth-a-135.flac"),
    ("over", "synth-a-010.flac"),
    ("alone", "synth-a-086.flac"),
    ("over", "synth-a-049.flac"),
)
PAUSE_S = 1.2  # from the robot's first word to who interrupts it


def main() -> int:
    """Play the dialogue once with every mode; 0 when the robot never took itself for a person."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument(
        "--mode", nargs="+", default=["full", "gate"], choices=["none", "gate", "filter", "full"]
    )
    parser.add_argument("--voice", default="auto", choices=["auto", "espeak", "recorded"])
    parser.add_argument("--room", type=int, default=1, help="seed of the simulated room")
    arguments = parser.parse_args()
    missing = [name for name in ("rclpy", "parakeet_asr_msgs") if find_spec(name) is None]
    if missing:
        print(f"{' and '.join(missing)} not found: the demo of duplex needs ROS 2; `make demo` does without.")
        return 1
    from voices import MISSING, RecordedVoice, open_voice

    voice = open_voice(arguments.voice)
    if isinstance(voice, RecordedVoice) and arguments.voice == "auto":
        print(f"{MISSING}.\n")
    from conversation import converse

    bot = "sentences" if isinstance(voice, RecordedVoice) else "echo"
    echoes = [
        converse(mode, arguments.room, arguments.voice, bot, SCRIPT, PAUSE_S) for mode in arguments.mode
    ]
    return 1 if any(echoes) else 0


if __name__ == "__main__":
    sys.exit(main())
