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


@pytest.mark.parametrize("name", ["asr", "duplex"])
def test_it_is_python(root: Path, name: str) -> None:
    path = root / f"launch/{name}.launch.py"
    compile(path.read_text(encoding="utf-8"), str(path), "exec")


def test_its_arguments_are_described(description: Any) -> None:
    arguments = {argument.name: argument.description for argument in description.get_launch_arguments()}
    assert set(arguments) == {
        "namespace", "params_file", "model", "engine", "compute_device", "audio_source", "audio_device",
        "audio_file", "audio_topic", "autostart", "log_level", "use_sim_time", "list_devices",
    }  # fmt: skip
    assert all(arguments.values())


def test_the_arguments_for_duplex_are_those_that_the_recognizer_takes(root: Path) -> None:
    """Both files name them; read as text, for there need be no launch."""
    import ast

    def literal(name: str, constant: str) -> Any:
        tree = ast.parse((root / f"launch/{name}.launch.py").read_text(encoding="utf-8"))
        (value,) = [
            node.value
            for node in tree.body
            if isinstance(node, ast.Assign) and node.targets[0].id == constant
        ]
        return ast.literal_eval(value)

    from parakeet_asr.ros.parameters import BY_NAME

    taken = literal("asr", "DUPLEX_PARAMETERS")
    assert [name for name, _ in literal("duplex", "ARGUMENTS")] == list(taken)
    assert all(name in BY_NAME for name in taken.values())
