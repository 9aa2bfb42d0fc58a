"""Measure a converted model directory and write the figures beside it."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from pathlib import Path

from parakeet_asr.sources.audio_file import read_audio
from parakeet_asr_tools.benchmark.corpus import choose
from parakeet_asr_tools.precision.comparison import Comparison, compare
from parakeet_asr_tools.precision.directory import REPORT_FILE, emulate_directory


def measure(
    reference: Path, converted: Path, speech: Path, limit_s: float | None, on_progress: Callable[[str], None]
) -> Comparison:
    """Compare a converted directory with the one that it was made of.

    Args:
        reference: float32.
        converted: by ``convert_directory``; its report gets the figures.
        speech: a folder with ``manifest.jsonl``.
        limit_s: an even choice of at most so many seconds; None takes all.
        on_progress: told what begins.

    Raises:
        OSError: there is no manifest.
    """
    manifest = (speech / "manifest.jsonl").read_text(encoding="utf-8")
    rows = [json.loads(line) for line in manifest.splitlines() if line.strip()]
    if limit_s is not None:
        rows = choose(rows, [float(row["duration_s"]) for row in rows], limit_s)
    on_progress(f"reading {len(rows)} utterances")
    audio = [read_audio(speech / row["audio"]) for row in rows]
    with tempfile.TemporaryDirectory(prefix="parakeet-emulated-") as scratch:
        emulate_directory(converted, Path(scratch))
        on_progress(f"comparing on {len(rows)} utterances")
        result = compare(reference, Path(scratch), audio)
    path = converted / REPORT_FILE
    report = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    report["speech"] = {"folder": speech.name, **result.to_json()}
    path.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    return result
