"""``parakeet-asr``: arguments, exit codes, and which command runs."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Sequence
from io import TextIOWrapper
from pathlib import Path

from parakeet_asr import __version__
from parakeet_asr.errors import ParakeetError

OK, FAILED, INTERRUPTED = 0, 1, 130  # argparse leaves with 2 when the arguments are wrong

FORMATS = ("text", "json", "srt", "vtt")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command.

    Returns:
        0 when all went well, 1 when anything failed, 2 for wrong arguments, 130 after Ctrl-C.
    """
    options = _parser().parse_args(arguments)
    logging.basicConfig(
        level=logging.DEBUG if options.verbose else logging.WARNING, format="%(levelname)s: %(message)s"
    )
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # file names need not be valid text
    try:
        code = _run(options)
        sys.stdout.flush()
    except ParakeetError as error:
        print(f"parakeet-asr: {error}", file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        print("parakeet-asr: interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:  # the reader, such as head, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    return code


def _run(options: argparse.Namespace) -> int:
    # Imported when needed: `--help` and `--version` answer at once.
    if options.command == "features":
        from parakeet_asr.cli.features import write_features

        write_features(options.file, options.out, options.recipe, options.mels, options.normalize)
        return OK
    from parakeet_asr.cli.transcribe import Request, transcribe_files

    request = Request(
        files=tuple(options.files),
        model=options.model,
        format=options.format,
        output=options.output,
        engine=options.engine,
        threads=options.threads,
    )
    return FAILED if transcribe_files(request) else OK


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="parakeet-asr",
        description="Speech recognition with NVIDIA Parakeet models, without a network.",
        epilog="Exit code: 0 all done, 1 something failed, 2 wrong arguments, 130 interrupted.",
    )
    parser.add_argument("--version", action="version", version=f"parakeet-asr {__version__}")
    parser.add_argument("--verbose", action="store_true", help="log details and tracebacks to stderr")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_transcribe(commands)
    _add_features(commands)
    return parser


def _add_transcribe(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    command = commands.add_parser(
        "transcribe",
        help="audio files to text, JSON or subtitles",
        description="Recognize audio files of any length, sample rate and channel count: wav, flac, ogg, "
        "opus and mp3, and whatever ffmpeg decodes where it is installed. A file that fails is named on "
        "stderr; the others are done all the same.",
        epilog="JSON is one object per file and line: audio, duration_s, text, tokens, words (text, start_s, "
        "end_s, confidence) and rtfx, the seconds of audio per second of work.",
    )
    command.add_argument("files", metavar="FILE", nargs="+", type=Path, help="audio file")
    command.add_argument(
        "--model", default="demo", metavar="DIR", help="model directory, or the name of one (default: demo)"
    )
    command.add_argument("--format", choices=FORMATS, default="text", help="default: text")
    command.add_argument(
        "--output",
        metavar="DIR",
        type=Path,
        help="write a file per input there, named like it (made if missing; a second input of the same "
        "name gets -2, and so on); otherwise everything goes to stdout",
    )
    command.add_argument("--threads", metavar="N", type=_positive, help="CPU threads (default: all cores)")
    command.add_argument("--engine", choices=("ort",), default="ort", help="default: ort (ONNX Runtime)")


def _add_features(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    command = commands.add_parser(
        "features",
        help="an audio file to log-mel features",
        description="Compute the features that a model reads, for comparing with other implementations.",
    )
    command.add_argument("file", metavar="FILE", type=Path, help="audio file")
    command.add_argument(
        "--recipe", choices=("nemo", "rust"), required=True, help="NeMo's, or that of trt-asr-engine"
    )
    command.add_argument("--normalize", action="store_true", help="zero mean, unit deviation for every band")
    command.add_argument("--mels", metavar="N", type=_positive, default=128, help="bands (default: 128)")
    command.add_argument(
        "--out", metavar="X.npy", type=Path, required=True, help="NumPy file, [frames, mels] float32"
    )


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"expected 1 or more, found {number}")
    return number


if __name__ == "__main__":
    sys.exit(main())
