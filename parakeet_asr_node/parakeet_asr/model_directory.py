"""Find a model directory, read its contract and check its files."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

from parakeet_asr.core.model_contract import parse_model_spec
from parakeet_asr.core.model_spec import FileSpec, ModelSpec
from parakeet_asr.errors import ModelContractError, ModelIntegrityError, ModelNotFoundError

MODEL_FILE = "model.json"
ARCHIVE_SUFFIX = ".nemo"
_READ_BYTES = 1 << 20


def is_archive(model: str | os.PathLike[str]) -> bool:
    """Whether a ``.nemo`` file is meant, there or not, rather than a model directory."""
    return Path(model).suffix == ARCHIVE_SUFFIX and not Path(model).expanduser().is_dir()


def resolve_model(model: str | os.PathLike[str]) -> Path:
    """Turn a path, or the name of a model that came with the package, into its directory.

    A name is looked for below ``models/`` of the source tree and below
    ``share/parakeet_asr/models`` of every ROS installation that is sourced.

    Raises:
        ModelNotFoundError: naming every place that was looked at.
    """
    path = Path(model).expanduser()
    if (path / MODEL_FILE).is_file():
        return path.resolve()
    places = [path]
    if len(path.parts) == 1 and not path.is_absolute():
        places += [folder / path for folder in model_folders()]
        for place in places[1:]:
            if (place / MODEL_FILE).is_file():
                return place.resolve()
    looked = "\n  ".join(str(place) for place in places)
    raise ModelNotFoundError(
        f"model {str(model)!r}: expected a folder with {MODEL_FILE}; looked at\n  {looked}\n"
        "Give the path of a model directory (parakeet-asr-tools export makes one from a .nemo)."
    )


def model_folders() -> list[Path]:
    """Folders below which models are found by name: installations first, then the source tree."""
    prefixes = [Path(p) for p in os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep) if p]
    installed = [prefix / "share" / "parakeet_asr" / "models" for prefix in prefixes]
    package = Path(__file__).resolve().parent
    # In the source tree the package is <root>/parakeet_asr_node/parakeet_asr, or a symlink to it;
    # in a colcon installation it is <prefix>/lib/pythonX.Y/site-packages/parakeet_asr.
    around = [package.parents[1] / "models"]
    if len(package.parents) > 3:
        around.append(package.parents[3] / "share" / "parakeet_asr" / "models")
    return installed + around


def read_model_directory(directory: Path, *, verify: bool = True) -> ModelSpec:
    """Read ``model.json`` and, with ``verify``, check every file's size and sha256.

    Raises:
        ModelNotFoundError: there is no model.json.
        ModelContractError: it is not JSON or contradicts itself.
        ModelIntegrityError: a file is missing or was altered.
    """
    path = directory / MODEL_FILE
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ModelNotFoundError(f"{path} does not exist; a model directory holds a {MODEL_FILE}") from error
    except (OSError, ValueError) as error:
        raise ModelContractError(
            f"{path}: expected a JSON object, found {error}; export the model again"
        ) from error
    spec = parse_model_spec(data)
    for name, expected in spec.files.items():
        _check_file(directory / name, expected, verify)
    return spec


def _check_file(path: Path, expected: FileSpec, verify: bool) -> None:
    try:
        size = path.stat().st_size
    except OSError as error:
        raise ModelIntegrityError(f"{path} is missing; copy the whole model directory again") from error
    if size != expected.bytes:
        raise ModelIntegrityError(
            f"{path} has {size} bytes, model.json says {expected.bytes}; copy the model directory again"
        )
    if verify and (digest := sha256_of(path)) != expected.sha256:
        raise ModelIntegrityError(
            f"{path} was altered: its sha256 is {digest}, model.json says {expected.sha256}; "
            "copy the model directory again"
        )


def sha256_of(path: Path) -> str:
    """The sha256 of a file, read in pieces."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_READ_BYTES):
            digest.update(block)
    return digest.hexdigest()
