"""Plans on disk: each with a key beside it that says what it was built of, with and for.

A plan runs only on the TensorRT version and GPU that built it. So the key is compared before a byte of
the plan is given to TensorRT, and a plan that does not fit is an error that says in what.
"""

from __future__ import annotations

import hashlib
import json
import mmap
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from parakeet_asr.engines.trt.limits import MachineLimits, machine_limits
from parakeet_asr.errors import EngineError

PLAN_SUFFIX = ".plan"
LIMITS_FILE = "limits.json"
_READ_BYTES = 1 << 20


class PlanError(EngineError):
    """A plan that is missing, damaged or built for something else; building it again mends it."""


@dataclass(frozen=True, slots=True)
class Platform:
    """Who builds or runs a plan."""

    flavour: str  # tensorrt or tensorrt_rtx
    version: str  # its version, all of it
    gpu: str  # its name; empty where there is none
    compute_capability: str  # 8.7; empty where there is none


@dataclass(frozen=True, slots=True)
class PlanKey:
    """What a plan depends on. Two equal keys mean that a plan may be used again."""

    graph_sha256: str  # of the ONNX file and its external data
    flavour: str
    version: str
    gpu: str
    compute_capability: str
    precision: str
    profiles: str  # input shapes: min, opt and max of each
    workspace_mb: int

    @property
    def digest(self) -> str:
        """Short name of this key."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()[:16]

    def differences(self, other: PlanKey) -> list[str]:
        """What is not the same, as ``field: mine, not other's``."""
        return [
            f"{f.name}: {getattr(self, f.name)!r}, not {getattr(other, f.name)!r}"
            for f in fields(self)
            if getattr(self, f.name) != getattr(other, f.name)
        ]


@dataclass(frozen=True, slots=True)
class StoredPlan:
    """A plan file that was found, and the key that it was built for."""

    path: Path
    key: PlanKey
    sha256: str

    def read(self) -> memoryview:
        """The plan's bytes, mapped: more than a gigabyte need not be in memory twice.

        Raises:
            PlanError: the file is not the one that was written.
        """
        try:
            with self.path.open("rb") as file:
                data = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
        except (OSError, ValueError) as error:  # ValueError: it is empty
            raise PlanError(f"{self.path}: the plan cannot be read: {error}; build it again") from error
        found = hashlib.sha256(data).hexdigest()
        if found != self.sha256:
            raise PlanError(
                f"{self.path} is damaged: its sha256 is {found}, {self.sha256} was written; build it again"
            )
        return data


def plan_folder(directory: Path, precision: str) -> Path:
    """Where the plans of a model directory are, and the graphs that they are built of."""
    return directory / f"trt-{precision}"


def store_limits(folder: Path, limits: MachineLimits) -> None:
    """Beside the plans: a node finds them without being told the profile again."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / LIMITS_FILE).write_text(json.dumps(asdict(limits), indent=2) + "\n", "utf-8")


def built_limits(directory: Path, environment: Mapping[str, str] | None = None) -> MachineLimits | None:
    """What the plans of a model directory were built for, changed by the environment; None without plans.

    Where several precisions were built and PARAKEET_PRECISION chooses none, the first of fp16, bf16, fp32.

    Raises:
        ConfigurationError: the environment says something that cannot be.
    """
    environment = os.environ if environment is None else environment
    wanted = machine_limits("", environment)
    chosen = environment.get("PARAKEET_PRECISION", "").strip()
    for precision in (wanted.precision,) if chosen else ("fp16", "bf16", "fp32"):
        folder = plan_folder(directory, precision)
        if not find_plans(folder, "encoder"):
            continue
        try:
            built = MachineLimits(**json.loads((folder / LIMITS_FILE).read_text("utf-8")))
        except (OSError, ValueError, TypeError):
            built = machine_limits("", environment, precision=precision)
        return machine_limits("", environment, built=built)
    return None


def plan_key(graph_sha256: str, platform: Platform, limits: MachineLimits, profiles: str) -> PlanKey:
    """Put a key together."""
    return PlanKey(
        graph_sha256=graph_sha256,
        flavour=platform.flavour,
        version=platform.version,
        gpu=platform.gpu,
        compute_capability=platform.compute_capability,
        precision=limits.precision,
        profiles=profiles,
        workspace_mb=limits.workspace_mb,
    )


def write_plan(folder: Path, graph: str, key: PlanKey, plan: bytes) -> StoredPlan:
    """Store a plan; an older one of the same graph on the same platform is replaced."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in find_plans(folder, graph):
        if _same_place(old.key, key):
            old.path.unlink(missing_ok=True)
            _beside(old.path).unlink(missing_ok=True)
    path = folder / f"{graph}.{key.digest}{PLAN_SUFFIX}"
    sha256 = hashlib.sha256(plan).hexdigest()
    scratch = path.with_suffix(".part")
    scratch.write_bytes(plan)
    scratch.replace(path)
    # last: a plan without a key is none
    _beside(path).write_text(json.dumps({"key": asdict(key), "sha256": sha256}, indent=2) + "\n", "utf-8")
    return StoredPlan(path, key, sha256)


def find_plan(folder: Path, graph: str, wanted: PlanKey) -> StoredPlan:
    """The plan that was built for exactly this.

    Raises:
        PlanError: there is none; the message says in what the ones that are there differ.
    """
    found = find_plans(folder, graph)
    for plan in found:
        if plan.key == wanted:
            return plan
    if not found:
        raise PlanError(f"{folder}: expected a plan of graph {graph!r}, found none; build it")
    nearest = min((wanted.differences(plan.key) for plan in found), key=len)
    raise PlanError(
        f"{folder}: the plan of graph {graph!r} does not fit this machine or model (expected, not found): "
        f"{'; '.join(nearest)}; build it again"
    )


def find_plans(folder: Path, graph: str) -> list[StoredPlan]:
    """All plans of a graph; what cannot be read is left out."""
    found = map(_read_stored, sorted(folder.glob(f"{graph}.*{PLAN_SUFFIX}")))
    return [plan for plan in found if plan is not None]


def _read_stored(path: Path) -> StoredPlan | None:
    try:
        data: dict[str, Any] = json.loads(_beside(path).read_text("utf-8"))
        return StoredPlan(path, PlanKey(**data["key"]), str(data["sha256"]))
    except (OSError, ValueError, TypeError, KeyError):
        return None


def graph_sha256(path: Path, data: Path | None = None) -> str:
    """The sha256 of a graph and, where it has one, of its external data."""
    digest = hashlib.sha256()
    for part in (path, data):
        if part is not None and part.is_file():
            with part.open("rb") as file:
                while block := file.read(_READ_BYTES):
                    digest.update(block)
    return digest.hexdigest()


def _same_place(a: PlanKey, b: PlanKey) -> bool:
    return (a.flavour, a.gpu, a.precision) == (b.flavour, b.gpu, b.precision)


def _beside(path: Path) -> Path:
    return path.with_name(path.name + ".json")
