"""The processes around a stage: the recognizer and the robot's mouth, in a ROS domain of their own."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import rclpy
from parakeet_asr_msgs.msg import State
from rclpy.executors import SingleThreadedExecutor

from acoustics import Room
from demo_ros import NANOSECONDS, ROOT, localhost, process
from dialogue import Played
from parakeet_asr.records import SAMPLE_RATE_HZ
from score import Final, Interruption, Scored
from stage import Stage

HERE = Path(__file__).resolve().parent
START_S = 60.0
READY = (State.LISTENING, State.SPEECH, State.GATED)


class Theatre:
    """A stage and the processes."""

    def __init__(self, stage: Stage) -> None:
        """Without processes yet."""
        self.stage = stage
        self.processes: dict[str, subprocess.Popen[str]] = {}

    def check(self) -> None:
        """See that all processes are there.

        Raises:
            RuntimeError: one has ended.
        """
        for name, started in self.processes.items():
            if started.poll() is not None:
                raise RuntimeError(f"{name} has ended with code {started.returncode}")

    def wait_until_ready(self) -> None:
        """Until the recognizer listens and the mouth can be asked.

        Raises:
            TimeoutError: that takes too long.
            RuntimeError: the recognizer cannot be used.
        """
        end_s = time.monotonic() + START_S
        states = self.stage.records.states
        while not (
            states and states[-1][1] in READY and self.stage.listened_to and self.stage.say.server_is_ready()
        ):
            self.check()
            if self.stage.records.troubles:
                raise RuntimeError(self.stage.records.troubles[-1])
            if time.monotonic() > end_s:
                raise TimeoutError(f"the nodes were not ready within {START_S:g} s")
            time.sleep(0.05)


@contextmanager
def open_theatre(
    room: Room,
    parameters: Mapping[str, Any],
    *,
    voice: str = "auto",
    bot: str = "",
    domain: int | None = None,
    config: Path = ROOT / "config/duplex.yaml",
) -> Iterator[Theatre]:
    """Start everything, and record when it is ready.

    Args:
        room: the room.
        parameters: of the recognizer, after those of ``config``.
        voice: of the robot: auto, espeak or recorded.
        bot: how a bot answers (echo or sentences); "": nobody does.
        domain: ROS_DOMAIN_ID; None: any.
        config: parameter file of the recognizer.
    """
    domain = random.randint(1, 101) if domain is None else domain  # noqa: S311  # no secret
    name, value = localhost()
    environment = {**os.environ, "ROS_DOMAIN_ID": str(domain), name: os.environ.get(name, value)}
    os.environ[name] = environment[name]
    given = [f"{name}:={value}" for name, value in {**parameters, "autostart": True}.items()]
    quiet = ["--log-level", "warn"]
    ears = ["-m", "parakeet_asr.ros.node", "--ros-args", "-r", "__ns:=/asr", "--params-file", str(config)]
    ears += [piece for text in given for piece in ("-p", text)] + quiet
    mouth = [str(HERE / "say_node.py"), "--ros-args", "-p", f"voice:={voice}"]
    mouth += ["-r", "barge_in:=/asr/barge_in", *quiet]
    context = rclpy.Context()
    rclpy.init(context=context, domain_id=domain)
    executor = SingleThreadedExecutor(context=context)
    stage = Stage(room, name=f"stage_{domain}", context=context)
    executor.add_node(stage)
    spinner = threading.Thread(target=executor.spin, name="stage", daemon=True)
    spinner.start()
    theatre = Theatre(stage)
    try:
        with ExitStack() as stack:
            commands = {"the recognizer": ears, "the text-to-speech node": mouth}
            if bot:
                answers = ["--ros-args", "-p", f"reply:={bot}", "-r", "final:=/asr/final", *quiet]
                commands["the bot"] = [str(HERE / "echo_bot.py"), *answers]
            for name, command in commands.items():
                theatre.processes[name] = stack.enter_context(process(command, env=environment))
            theatre.wait_until_ready()
            stage.open()
            yield theatre
    finally:
        stage.close()
        executor.shutdown()
        spinner.join()
        stage.destroy_node()
        rclpy.shutdown(context=context)


def score_turn(stage: Stage, played: Played) -> Scored:
    """What became of a turn. A final belongs to the turn in which it ends."""

    def seconds(sample: int) -> float:
        return sample / SAMPLE_RATE_HZ

    def span(samples: tuple[int, int]) -> tuple[float, float]:
        return seconds(samples[0]), seconds(samples[1])

    finals = []
    for _, message in stage.records.finals:
        begin_s = seconds(stage.sample(_nanoseconds(message.header.stamp)))
        end_s = begin_s + _nanoseconds(message.audio_duration) / NANOSECONDS
        if seconds(played.begin) <= end_s < seconds(played.end):
            finals.append(Final(message.text, begin_s, end_s, message.echo))
    interruptions = [
        Interruption(
            seconds(stage.sample(_nanoseconds(message.header.stamp))), seconds(arrived), message.matched_word
        )
        for arrived, message in stage.records.barge_ins
        if played.begin <= arrived < played.end
    ]
    said = [(seconds(arrived), text) for arrived, text in stage.records.texts if arrived < played.end]
    return Scored(
        kind=played.turn.kind,
        begin_s=seconds(played.begin),
        end_s=seconds(played.end),
        robot_lines=said,
        robot_spans_s=[span(s) for s in stage.robot_spans if s[0] < played.end and s[1] > played.begin],
        person_text=played.turn.person.text if played.turn.person is not None else "",
        person_s=None if played.person is None else span(played.person),
        finals=finals,
        interruptions=interruptions,
    )


def _nanoseconds(stamp: Any) -> int:
    return int(stamp.sec) * NANOSECONDS + int(stamp.nanosec)


def fail(text: str) -> None:
    """End with a line for people."""
    sys.exit(f"{Path(sys.argv[0]).name}: {text}")
