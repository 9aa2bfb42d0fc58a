"""colcon sees two ROS packages, and an installed one is complete."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.fixture
def colcon() -> str:
    """The colcon of this environment."""
    found = shutil.which(
        "colcon", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    )
    if found is None:
        pytest.skip("colcon is not installed: it comes with ROS 2 or its wheels")
    return found


def run(command: list[str], folder: Path, **variables: str) -> str:
    """Standard output of a command that must succeed and must not complain."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    environment = {**os.environ, "PATH": path, **variables}
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300, env=environment)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "Traceback" not in result.stderr, result.stderr
    return result.stdout


def test_colcon_lists_the_packages_with_their_ros_types(colcon: str, root: Path, tmp_path: Path) -> None:
    """A malformed package.xml would only downgrade a package to a plain Python or CMake one."""
    output = run([colcon, "--log-base", str(tmp_path), "list"], root / "ros2_ws")
    packages = {line.split("\t")[0]: line.split("\t")[2] for line in output.splitlines()}
    assert packages == {"parakeet_asr": "(ros.ament_python)", "parakeet_asr_msgs": "(ros.ament_cmake)"}


@pytest.mark.parametrize("options", [[], ["--merge-install"], ["--symlink-install"]], ids=str)
def test_an_installed_package_is_complete_and_finds_its_model(
    colcon: str, root: Path, tmp_path: Path, options: list[str]
) -> None:
    install = tmp_path / "install"
    command = [colcon, "--log-base", str(tmp_path / "log"), "build", "--packages-select", "parakeet_asr"]
    command += ["--base-paths", str(root / "parakeet_asr_node"), "--build-base", str(tmp_path / "build")]
    run([*command, "--install-base", str(install), *options], tmp_path, COLCON_DEFAULTS_FILE=os.devnull)
    prefix = install if "--merge-install" in options else install / "parakeet_asr"
    share = prefix / "share/parakeet_asr"
    for file in ("package.xml", "launch/asr.launch.py", "config/asr.yaml", "models/demo/model.json"):
        assert (share / file).is_file(), file
    assert (prefix / "lib/parakeet_asr/asr_node").is_file()
    assert (prefix / "share/ament_index/resource_index/packages/parakeet_asr").is_file()
    find = "from parakeet_asr.model_directory import resolve_model; print(resolve_model('demo'))"
    found = run([sys.executable, "-c", find], tmp_path, AMENT_PREFIX_PATH=str(prefix)).strip()
    assert Path(found) == (share / "models/demo").resolve()
