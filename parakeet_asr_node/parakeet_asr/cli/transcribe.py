"""``parakeet-asr transcribe``: every file on its own, so that a bad one hurts no other."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from parakeet_asr.cli.formats import EXTENSIONS, Format, render
from parakeet_asr.cli.phrases import NO_PHRASES, PhraseRequest, listen_for
from parakeet_asr.cli.progress import ProgressBar
from parakeet_asr.core.choices import DeviceName, EngineName
from parakeet_asr.errors import ConfigurationError, ParakeetError
from parakeet_asr.loader import Model, load_model
from parakeet_asr.records import Failure

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Request:
    """What the command line asked for."""

    files: tuple[Path, ...]
    model: str
    format: Format
    output: Path | None  # directory; None is stdout
    engine: EngineName
    engine_device: DeviceName
    threads: int | None
    phrases: PhraseRequest = NO_PHRASES


def transcribe_files(request: Request) -> list[Failure]:
    """Recognize the files one by one and write what was heard.

    Returns:
        The files that failed; each has been named on stderr.

    Raises:
        ConfigurationError: the request cannot be met for any file.
        ModelError, EngineError: the model cannot be loaded.
    """
    _check(request)
    outputs = plan_outputs(request)
    failures = []
    with load_model(
        request.model, engine=request.engine, device=request.engine_device, threads=request.threads
    ) as model:
        listen_for(model, request.phrases)
        for file, output in zip(request.files, outputs, strict=True):
            try:
                text = _transcribe(model, file, request.format)
                if output is not None:
                    output.write_text(text, encoding="utf-8", errors="backslashreplace")
            except Exception as error:  # whatever it is, the next file gets its turn
                failures.append(Failure(str(file), error))
                _report(file, error)
                continue
            if output is None:
                prefix = f"{file}: " if request.format == "text" and len(request.files) > 1 else ""
                print(f"{prefix}{text}", end="", flush=True)
    if len(failures) > 1:
        print(f"parakeet-asr: {len(failures)} of {len(request.files)} files failed", file=sys.stderr)
    return failures


def plan_outputs(request: Request) -> Sequence[Path | None]:
    """Give every input its own output file: inputs of the same name get ``-2``, ``-3`` ... in turn."""
    if request.output is None:
        return [None] * len(request.files)
    names: list[str] = []
    stems = {file.stem for file in request.files}
    for file in request.files:
        name, number = file.stem, 1
        while name in names or (number > 1 and name in stems):
            number += 1
            name = f"{file.stem}-{number}"
        names.append(name)
    return [request.output / f"{name}{EXTENSIONS[request.format]}" for name in names]


def _check(request: Request) -> None:
    if request.output is None:
        if request.format in ("srt", "vtt") and len(request.files) > 1:
            raise ConfigurationError(
                f"--format {request.format}: expected one file, or --output DIR, found {len(request.files)} "
                "files for stdout; subtitles of several recordings cannot share a file"
            )
        return
    try:
        request.output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(
            f"--output: expected a directory, found {request.output} ({error.strerror}); name another"
        ) from error


def _transcribe(model: Model, file: Path, output_format: Format) -> str:
    start_s = time.perf_counter()
    with ProgressBar(file.name) as progress:
        transcription = model.transcribe(file, on_progress=progress)
    elapsed_s = time.perf_counter() - start_s
    return render(transcription, output_format, str(file), transcription.duration_s / elapsed_s)


def _report(file: Path, error: Exception) -> None:
    reason = str(error) if isinstance(error, ParakeetError | OSError) else f"{type(error).__name__}: {error}"
    named = reason if str(file) in reason else f"{file}: {reason}"
    print(f"parakeet-asr: {named}", file=sys.stderr)
    _log.debug("%s", file, exc_info=error)
