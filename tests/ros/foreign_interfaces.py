"""Foreign messages, two packages of one name among them, each built once into a prefix of its own."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import sysconfig
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

FAMILIES = {"ros_drivers": "audio_common_msgs", "mgonzs13": "audio_common_msgs", "ros4hri": "hri_msgs"}


class Families:
    """The built packages; a build is kept below .venv and named after everything that it depends on."""

    def __init__(self, root: Path) -> None:
        """Build what is not there yet, both at the same time."""
        for tool in ("cmake", "cc", "c++"):
            if shutil.which(tool) is None:
                pytest.skip(f"{tool} is not installed; the foreign messages cannot be built")
        self._root = root
        self._cache = root / ".venv/test_interfaces"
        with ThreadPoolExecutor() as pool:
            self._prefixes = dict(zip(FAMILIES, pool.map(self._build, FAMILIES), strict=True))

    def environment(self, family: str) -> dict[str, str]:
        """The environment of a process in which the family's package is installed."""
        prefix = self._prefixes[family]
        (module,) = prefix.rglob(f"{FAMILIES[family]}/__init__.py")
        return {
            **os.environ,
            "AMENT_PREFIX_PATH": _front(prefix, "AMENT_PREFIX_PATH"),
            "PYTHONPATH": _front(module.parents[1], "PYTHONPATH"),
            "LD_LIBRARY_PATH": _front(prefix / "lib", "LD_LIBRARY_PATH"),
        }

    def _build(self, family: str) -> Path:
        source = self._root / "tests/ros/interfaces" / family / FAMILIES[family]
        prefix = self._cache / f"{family}-{_fingerprint(source)}"
        if prefix.is_dir():
            return prefix
        for old in self._cache.glob(f"{family}-*"):
            shutil.rmtree(old)
        install = self._cache / f".{family}-{os.getpid()}/install"
        build = install.parent / "build"
        paths = os.environ.get("AMENT_PREFIX_PATH") or sys.prefix
        environment = {
            **os.environ,
            "AMENT_PREFIX_PATH": paths,
            "CMAKE_PREFIX_PATH": paths,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",
        }
        options = [f"-DPython3_EXECUTABLE={sys.executable}", f"-DCMAKE_INSTALL_PREFIX={install}"]
        options += ["-DBUILD_TESTING=OFF", "-DCMAKE_C_FLAGS=-O0", "-DCMAKE_CXX_FLAGS=-O0"]
        for command in (
            ["cmake", "-S", str(source), "-B", str(build), *options],
            ["cmake", "--build", str(build), "--parallel", "2"],
            ["cmake", "--install", str(build)],
        ):
            result = subprocess.run(command, env=environment, capture_output=True, text=True)
            assert result.returncode == 0, f"{command}: {result.stdout[-4000:]}{result.stderr[-4000:]}"
        if not prefix.is_dir():  # nobody else was faster
            install.rename(prefix)
        shutil.rmtree(install.parent)
        return prefix


def _fingerprint(source: Path) -> str:
    digest = hashlib.sha256(sysconfig.get_config_var("SOABI").encode())
    digest.update(os.environ.get("ROS_DISTRO", "wheels").encode() + sys.prefix.encode())
    for path in sorted(p for p in source.rglob("*") if p.is_file()):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:12]


def _front(path: Path, variable: str) -> str:
    """A list of paths with another one before it."""
    rest = os.environ.get(variable, "")
    return f"{path}{os.pathsep}{rest}" if rest else str(path)
