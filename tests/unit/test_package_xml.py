"""package.xml names every ROS package that the node imports, by keys that rosdep knows."""

from __future__ import annotations

import ast
from pathlib import Path
from xml.etree import ElementTree

# Keys that were looked up in ros/rosdistro (rosdep/*.yaml and the distributions from Humble to Rolling,
# November 2026). A key that is not here has to be looked up before it is added.
KNOWN_KEYS = {
    "action_msgs", "ament_cmake", "builtin_interfaces", "diagnostic_msgs", "launch", "launch_ros",
    "lifecycle_msgs", "python3-numpy", "python3-pytest", "rcl_interfaces", "rclpy", "rosgraph_msgs",
    "rosidl_default_generators", "rosidl_default_runtime", "std_msgs",
}  # fmt: skip
OURS = {"parakeet_asr_msgs"}
DEPENDS = {"depend", "exec_depend", "build_depend", "buildtool_depend", "test_depend"}


def keys(path: Path) -> set[str]:
    tree = ElementTree.parse(path).getroot()
    return {str(element.text) for element in tree if element.tag in DEPENDS}


def imported(folder: Path) -> set[str]:
    names = set()
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module:
                names.add(node.module.split(".")[0])
            elif isinstance(node, ast.Import):
                names |= {alias.name.split(".")[0] for alias in node.names}
    return {
        name for name in names if name.endswith(("_msgs", "_interfaces")) or name in ("rclpy", "launch_ros")
    }


def test_every_key_is_one_that_rosdep_knows(root: Path) -> None:
    for package in ("parakeet_asr_node", "parakeet_asr_msgs"):
        assert keys(root / package / "package.xml") <= KNOWN_KEYS | OURS, package


def test_what_the_node_and_the_launch_files_import_is_depended_on(root: Path) -> None:
    needed = imported(root / "parakeet_asr_node/parakeet_asr/ros") | imported(root / "launch")
    assert needed <= keys(root / "parakeet_asr_node/package.xml")
    assert "rclpy" in needed
