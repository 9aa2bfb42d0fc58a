"""The launch file, as far as there is a launch to read it."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def description(root: Path) -> Any:
    """What the launch file describes."""
    reason = "launch comes with a ROS 2 from apt; the wheels have none"
    pytest.importorskip("launch", reason=reason)
    pytest.importorskip("launch_ros", reason=reason)
    return runpy.run_path(str(root / "launch/asr.launch.py"))["generate_launch_description"]()


def test_it_is_python(root: Path) -> None:
    path = root / "launch/asr.launch.py"
    compile(path.read_text(encoding="utf-8"), str(path), "exec")


def test_its_arguments_are_described(description: Any) -> None:
    arguments = {argument.name: argument.description for argument in description.get_launch_arguments()}
    assert set(arguments) == {
        "namespace", "params_file", "model", "audio_source", "audio_file", "audio_topic",
        "autostart", "log_level", "use_sim_time",
    }  # fmt: skip
    assert all(arguments.values())
