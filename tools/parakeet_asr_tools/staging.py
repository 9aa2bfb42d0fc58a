"""Model directories that are written beside themselves first, and appear whole or not at all."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from parakeet_asr.core.model_spec import FileSpec, ModelSpec
from parakeet_asr.model_directory import MODEL_FILE, sha256_of


@contextmanager
def staged(out: Path) -> Iterator[Path]:
    """A folder whose files replace those of ``out`` at the end, or never when something fails."""
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".writing-", dir=out) as scratch:
        yield Path(scratch)
        # model.json last: a directory that was left half-way does not pass for a model
        for file in sorted(Path(scratch).iterdir(), key=lambda path: path.name == MODEL_FILE):
            file.replace(out / file.name)


def hash_files(folder: Path) -> dict[str, FileSpec]:
    """Size and sha256 of every file."""
    return {path.name: FileSpec(sha256_of(path), path.stat().st_size) for path in sorted(folder.iterdir())}


def write_spec(folder: Path, spec: ModelSpec) -> None:
    """``model.json``."""
    text = json.dumps(spec.to_json(), indent=2, ensure_ascii=False) + "\n"
    (folder / MODEL_FILE).write_text(text, encoding="utf-8")
