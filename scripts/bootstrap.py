#!/usr/bin/env python3
"""Make .venv at the root of the repository, stage by stage; a stage that is up to date costs nothing.

    scripts/bootstrap.py [runtime] [ros] [tools] [dev]

runtime  the library, the command line and the node, editable
ros      a ROS 2 to run the node with: the one that is sourced, or else the Jazzy wheels; and the messages
tools    parakeet-asr-tools and PyTorch (export)
dev      pytest, hypothesis, ruff, mypy

Only the standard library, and syntax that Python 3.8 reads, so that an old interpreter gets an answer.
Environment: PARAKEET_ASR_ROS=off goes without ROS even where there is one.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Dict, List, NamedTuple, Optional

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
STAMPS = VENV / "stamps"
LOG = VENV / "setup.log"
MESSAGES = ROOT / "parakeet_asr_msgs"
REQUIREMENTS = ROOT / "requirements"
STAGES = ("runtime", "ros", "tools", "dev")
OLDEST, NEWEST = (3, 10), (3, 13)
WHEELS_PYTHON = (3, 11)  # the ROS wheels exist for this one only, and pip would install them anywhere

# With the interpreter of .venv, whoever installed colcon: it decides where Python packages land.
COLCON = "import sys; from colcon_core.command import main; sys.exit(main())"

PROBE = """
import json, os, platform, sys, sysconfig
def has(*names):
    try:
        for name in names: __import__(name)
    except ImportError: return False
    return True
print(json.dumps(dict(
    executable=os.path.realpath(sys.executable), version=sys.version_info[:2],
    implementation=sys.implementation.name, machine=platform.machine(),
    glibc=platform.libc_ver()[0] == "glibc" and sys.platform == "linux", venv=has("venv", "ensurepip"),
    headers=os.path.isfile(os.path.join(sysconfig.get_path("include"), "Python.h")),
    rclpy=bool(os.environ.get("AMENT_PREFIX_PATH")) and has("rclpy"))))
"""


class Python(NamedTuple):
    """What an interpreter says about itself."""

    executable: str
    version: List[int]
    implementation: str
    machine: str
    glibc: bool
    venv: bool
    headers: bool
    rclpy: bool

    @property
    def supported(self) -> bool:
        """Whether the library runs on it."""
        return OLDEST <= tuple(self.version) <= NEWEST

    @property
    def takes_ros_wheels(self) -> bool:
        """Whether the ROS 2 wheels run on it."""
        return tuple(self.version) == WHEELS_PYTHON and (self.implementation, self.machine, self.glibc) == (
            "cpython",
            "x86_64",
            True,
        )

    @property
    def label(self) -> str:
        """For people."""
        return "Python {}.{} ({})".format(*self.version, self.executable)


class Plan(NamedTuple):
    """The interpreter to build on, and where ROS 2 comes from: sourced, wheels or absent."""

    python: Python
    ros: str

    @property
    def identity(self) -> str:
        """Changes when .venv must be made anew."""
        return "{} {} {}".format(self.python.executable, self.ros, os.environ.get("ROS_DISTRO", "-"))


def main(names: List[str]) -> None:
    """Bring every named stage up to date, in their order."""
    if unknown := sorted(set(names) - set(STAGES)):
        fail(f"unknown stage {unknown[0]!r}; there are: {' '.join(STAGES)}")
    plan = make_plan()
    check_tools(plan, needs_compiler="ros" in names and plan.ros != "absent")
    make_venv(plan)
    for stage in STAGES:
        if stage in names:
            bring_up_to_date(stage, plan)


# --- what is there ------------------------------------------------------------------------------


def make_plan() -> Plan:
    """Prefer the ROS that is sourced, then Python 3.11 for the wheels, then any supported Python."""
    pythons = [python for python in map(probe, candidates()) if python is not None]
    usable = [python for python in pythons if python.supported]
    if not usable:
        found = ", ".join(python.label for python in pythons) or "none"
        fail(
            f"Python {OLDEST[0]}.{OLDEST[1]} to {NEWEST[0]}.{NEWEST[1]} is needed, found: {found}",
            ["python3", "python3-venv"],
        )
    wants_ros = os.environ.get("PARAKEET_ASR_ROS", "auto") != "off"
    if wants_ros and os.environ.get("ROS_DISTRO"):
        for python in usable:
            if python.rclpy:
                return Plan(python, "sourced")
        say(f"ROS 2 {os.environ['ROS_DISTRO']} is sourced, but no Python on PATH can import rclpy")
    if wants_ros:
        for python in usable:
            if python.takes_ros_wheels:
                return Plan(python, "wheels")
    return Plan(usable[0], "absent")


def candidates() -> List[str]:
    """Interpreters to ask, most welcome first."""
    names = [
        "python3",
        "/usr/bin/python3",
        "python3.11",
        "/usr/bin/python3.11",
        "python3.12",
        "python3.10",
        "python3.13",
    ]
    found = [sys.executable, *filter(None, map(shutil.which, names))]
    return list(dict.fromkeys(found))


def probe(executable: str) -> Optional[Python]:
    """Ask an interpreter about itself; None when it does not start (a pyenv shim may not)."""
    try:
        answer = subprocess.run(
            [executable, "-c", PROBE], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=60
        )
        return Python(**json.loads(answer.stdout)) if answer.returncode == 0 else None
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return None


def check_tools(plan: Plan, *, needs_compiler: bool) -> None:
    """Stop with everything that is missing and the command that brings it."""
    version = "{}.{}".format(*plan.python.version)
    missing: Dict[str, str] = {}
    if not plan.python.venv:
        missing["the venv module of " + plan.python.label] = f"python{version}-venv"
    if needs_compiler:
        if not shutil.which("cmake"):
            missing["cmake"] = "cmake"
        if not (shutil.which("make") or shutil.which("ninja")):
            missing["make"] = "make"
        if not shutil.which("c++") or not shutil.which("cc"):
            missing["a C and C++ compiler (cc, c++)"] = "build-essential"
        if not plan.python.headers:
            missing["Python.h of " + plan.python.label] = f"python{version}-dev"
    if missing:
        reason = (
            "; the ROS 2 messages are built here (PARAKEET_ASR_ROS=off goes without ROS)"
            if needs_compiler
            else ""
        )
        fail("missing: " + ", ".join(missing) + reason, list(missing.values()))


# --- stages -------------------------------------------------------------------------------------


def make_venv(plan: Plan) -> None:
    """Create .venv, or create it anew when the interpreter or the ROS underneath is another one."""
    stamp = STAMPS / "venv"
    if stamp.is_file() and stamp.read_text() == plan.identity:
        return
    say(f"making .venv with {plan.python.label}")
    if VENV.exists():
        shutil.rmtree(VENV)
    options = ["--system-site-packages"] if plan.ros == "sourced" else []
    subprocess.run([plan.python.executable, "-m", "venv", *options, str(VENV)], check=True)
    (VENV / "COLCON_IGNORE").touch()
    STAMPS.mkdir()
    stamp.write_text(plan.identity)


def bring_up_to_date(stage: str, plan: Plan) -> None:
    """Run a stage unless nothing that it depends on has changed since it last succeeded."""
    if stage == "ros" and plan.ros == "absent":
        say(
            "no ROS 2: none is sourced, and its wheels need CPython 3.11 on x86_64 Linux (glibc), this is "
            f"{plan.python.label}. The library, the command line and their tests work without; "
            "for the node, source a ROS 2 (Humble or newer) and run this again."
        )
        return
    stamp, digest = STAMPS / stage, fingerprint(stage, plan)
    if stamp.is_file() and stamp.read_text() == digest:
        return
    started = time.monotonic()
    say(f"{stage}: installing (log: {LOG.relative_to(ROOT)})")
    {"runtime": install_runtime, "ros": install_ros, "tools": install_tools, "dev": install_dev}[stage](plan)
    stamp.write_text(digest)
    say(f"{stage}: done in {time.monotonic() - started:.0f} s")


def fingerprint(stage: str, plan: Plan) -> str:
    """A hash over everything that the outcome of a stage depends on."""
    node, tools = ROOT / "parakeet_asr_node", ROOT / "tools"
    inputs = {
        "runtime": [node / "setup.py", node / "setup.cfg", node / "pyproject.toml"],
        "ros": [REQUIREMENTS / "ros-wheels.txt", *sorted(p for p in MESSAGES.rglob("*") if p.is_file())],
        "tools": [REQUIREMENTS / "tools.txt", tools / "pyproject.toml"],
        "dev": [REQUIREMENTS / "dev.txt", REQUIREMENTS / "tensorrt.txt"],
    }
    digest = hashlib.sha256(plan.identity.encode())
    for path in [Path(__file__), REQUIREMENTS / "ros-sourced.txt", *inputs[stage]]:
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def install_runtime(plan: Plan) -> None:
    """The library and its command, importable from the source tree."""
    pip(plan, "-e", f"{ROOT / 'parakeet_asr_node'}[duplex]")  # echo cancellation is 0.2 MB


def install_tools(plan: Plan) -> None:
    """Export and measurements; PyTorch is the large part."""
    pip(plan, "-r", str(REQUIREMENTS / "tools.txt"), "-e", str(ROOT / "tools"))


def install_dev(plan: Plan) -> None:
    """What tests and linting need."""
    pip(plan, "-r", str(REQUIREMENTS / "dev.txt"))
    # The stubs ask for TensorRT itself, whose installation fails without a GPU driver.
    pip(plan, "--no-deps", "-r", str(REQUIREMENTS / "tensorrt.txt"))
    mend_stubs()


def mend_stubs() -> None:
    """Make TensorRT's stubs valid Python: they name an argument `in`, and forget a default."""
    for path in VENV.glob("lib/python*/site-packages/tensorrt_bindings/tensorrt.pyi"):
        text = path.read_text(encoding="utf-8")
        mended = text.replace(", in: list[", ", in_: list[")
        mended = mended.replace(
            "power: Weights = None, channel_axis: int)", "power: Weights = None, channel_axis: int = 0)"
        )
        path.write_text(mended, encoding="utf-8")


def install_ros(plan: Plan) -> None:
    """ROS 2 itself where it is not sourced, and the messages, built into .venv."""
    if plan.ros == "wheels":
        pip(plan, "-r", str(REQUIREMENTS / "ros-wheels.txt"))
        mend_wheels()
    else:
        pip(plan, "colcon-common-extensions")  # nothing to do where apt has brought it
    build_messages(plan)


def mend_wheels() -> None:
    """Correct the CMake files of the wheels: they name folders of the machine that built them."""
    where = "import numpy, sysconfig; print(sysconfig.get_path('include')); print(numpy.get_include())"
    output = subprocess.run(
        [str(VENV / "bin/python"), "-c", where], check=True, stdout=subprocess.PIPE
    ).stdout
    include, numpy_include = output.decode().split("\n")[:2]
    builder = "/opt/python/cp311-cp311/"
    for path in (VENV / "share").rglob("*Export.cmake"):
        text = path.read_text()
        if builder in text:
            text = text.replace(builder + "lib/python3.11/site-packages/numpy/_core/include", numpy_include)
            path.write_text(text.replace(builder + "include/python3.11", include))


def build_messages(plan: Plan) -> None:
    """Build parakeet_asr_msgs with colcon, installed into .venv beside the Python packages."""
    environment = dict(os.environ)
    if plan.ros == "wheels":
        for name in ("AMENT_PREFIX_PATH", "CMAKE_PREFIX_PATH"):
            environment[name] = str(VENV)
    run(
        [
            str(VENV / "bin/python"), "-c", COLCON, "--log-base", str(VENV / "log"), "build",
            "--base-paths", str(MESSAGES), "--merge-install", "--install-base", str(VENV),
            "--build-base", str(VENV / "build"), "--cmake-args", "-DBUILD_TESTING=OFF",
            f"-DPython3_EXECUTABLE={VENV / 'bin/python'}",
        ],
        environment,
    )  # fmt: skip


# --- helpers ------------------------------------------------------------------------------------


def pip(plan: Plan, *arguments: str) -> None:
    """Install with the pip of .venv."""
    constraints = ["-c", str(REQUIREMENTS / "ros-sourced.txt")] if plan.ros == "sourced" else []
    command = [str(VENV / "bin/python"), "-m", "pip", "install", "--disable-pip-version-check", *constraints]
    run([*command, *arguments], dict(os.environ))


def run(command: List[str], environment: Dict[str, str]) -> None:
    """Run a command into the log; when it fails, show the end of the log and stop."""
    with LOG.open("a") as log:
        print("$", " ".join(command), file=log, flush=True)
        code = subprocess.run(
            command, stdout=log, stderr=subprocess.STDOUT, env=environment, cwd=VENV
        ).returncode
    if code:
        print("\n".join(LOG.read_text(errors="replace").splitlines()[-40:]), file=sys.stderr)
        fail(f"this failed (exit code {code}): {' '.join(command)}\nThe whole log is in {LOG}")


def say(text: str) -> None:
    """One line of progress."""
    print("setup:", text, flush=True)


def fail(text: str, packages: Optional[List[str]] = None) -> None:
    """Stop, with what to type when packages of the system are missing."""
    hint = f"\nOn Debian and Ubuntu: sudo apt install {' '.join(packages)}" if packages else ""
    sys.exit(f"setup: {text}{hint}")


if __name__ == "__main__":
    main(sys.argv[1:] or list(STAGES))
