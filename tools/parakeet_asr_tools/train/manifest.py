"""Manifests: JSON lines that name recordings and their texts."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from parakeet_asr.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class Utterance:
    """One line of a manifest."""

    audio: Path
    text: str
    duration_s: float
    group: str  # the line's "set", or the manifest's name


def read_manifest(path: Path) -> list[Utterance]:
    """Read ``{"audio": PATH, "text": TEXT, "duration_s": S, "set": NAME}`` from every line.

    ``audio`` is relative to the manifest. NeMo's names ``audio_filepath`` and ``duration`` are read, too;
    ``set`` may be missing.

    Raises:
        ConfigurationError: the file is missing or empty, or a line lacks something.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(
            f"{path}: expected a manifest of JSON lines, cannot read it ({error})"
        ) from error
    rows = [_utterance(path, number, line) for number, line in enumerate(lines, 1) if line.strip()]
    if not rows:
        raise ConfigurationError(f"{path}: expected at least one utterance, found none")
    return rows


def _utterance(path: Path, number: int, line: str) -> Utterance:
    try:
        row = json.loads(line)
        audio = row["audio"] if "audio" in row else row["audio_filepath"]
        duration = row["duration_s"] if "duration_s" in row else row["duration"]
        return Utterance(
            path.parent / str(audio), str(row["text"]), float(duration), str(row.get("set", path.stem))
        )
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigurationError(
            f"{path}, line {number}: expected an object with audio, text and duration_s, found {line[:80]!r} "
            f"({type(error).__name__}: {error})"
        ) from error


def write_manifest(path: Path, rows: Iterable[Utterance]) -> None:
    """Write what :func:`read_manifest` reads, with paths relative to the manifest where that is possible."""
    base = path.parent.resolve()
    with path.open("w", encoding="utf-8") as out:
        for row in rows:
            audio = row.audio.resolve()
            name = audio.relative_to(base) if audio.is_relative_to(base) else audio
            line = {"audio": str(name), "duration_s": row.duration_s, "text": row.text, "set": row.group}
            out.write(json.dumps(line, ensure_ascii=False) + "\n")


def split(rows: Sequence[Utterance], every: int) -> tuple[list[Utterance], list[Utterance]]:
    """Every n-th utterance of each set is held out (the n-th, 2n-th, ...); gives the rest and those.

    Raises:
        ConfigurationError: fewer than every second would be left.
    """
    if every < 2:
        raise ConfigurationError(
            f"split: expected to hold out every 2nd utterance or fewer, got every {every}"
        )
    counts: dict[str, int] = {}
    rest: list[Utterance] = []
    held_out: list[Utterance] = []
    for row in rows:
        counts[row.group] = counts.get(row.group, 0) + 1
        (held_out if counts[row.group] % every == 0 else rest).append(row)
    return rest, held_out
