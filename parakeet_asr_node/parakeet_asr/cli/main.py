"""``parakeet-asr``: arguments, exit codes, and which command runs."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from io import TextIOWrapper
from typing import TYPE_CHECKING

from parakeet_asr.cli.arguments import SESSION_OPTIONS, make_parser
from parakeet_asr.errors import ParakeetError

if TYPE_CHECKING:
    from parakeet_asr.core.session import SessionOptions

OK, FAILED, INTERRUPTED = 0, 1, 130  # argparse leaves with 2 when the arguments are wrong


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command.

    Returns:
        0 when all went well, 1 when anything failed, 2 for wrong arguments, 130 after Ctrl-C.
    """
    options = make_parser().parse_args(arguments)
    logging.basicConfig(
        level=logging.DEBUG if options.verbose else logging.WARNING, format="%(levelname)s: %(message)s"
    )
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # file names need not be valid text
    try:
        code = _COMMANDS[options.command](options)
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


# Each imports what it needs: `devices` loads no model, and nobody waits for another command's libraries.


def _transcribe(options: argparse.Namespace) -> int:
    from parakeet_asr.cli.phrases import PhraseRequest
    from parakeet_asr.cli.transcribe import Request, transcribe_files

    request = Request(
        files=tuple(options.files),
        model=options.model,
        format=options.format,
        output=options.output,
        engine=options.engine,
        engine_device=options.engine_device,
        threads=options.threads,
        phrases=PhraseRequest.from_arguments(options),
    )
    return FAILED if transcribe_files(request) else OK


def _features(options: argparse.Namespace) -> int:
    from parakeet_asr.cli.features import write_features

    write_features(options.file, options.out, options.recipe, options.mels, options.normalize)
    return OK


def _stream(options: argparse.Namespace) -> int:
    from parakeet_asr.cli.phrases import PhraseRequest
    from parakeet_asr.cli.stream import StreamRequest, stream

    stream(
        StreamRequest(
            file=options.file,
            model=options.model,
            engine=options.engine,
            engine_device=options.engine_device,
            threads=options.threads,
            realtime=options.realtime,
            block_s=options.block_s,
            options=_session_options(options),
            phrases=PhraseRequest.from_arguments(options),
        )
    )
    return OK


def _listen(options: argparse.Namespace) -> int:
    from parakeet_asr.cli.listen import ListenRequest, listen
    from parakeet_asr.cli.phrases import PhraseRequest

    listen(
        ListenRequest(
            device=options.device,
            model=options.model,
            engine=options.engine,
            engine_device=options.engine_device,
            threads=options.threads,
            options=_session_options(options),
            phrases=PhraseRequest.from_arguments(options),
        )
    )
    return OK


def _devices(_: argparse.Namespace) -> int:
    from parakeet_asr.cli.listen import print_devices

    print_devices()
    return OK


def _session_options(options: argparse.Namespace) -> SessionOptions:
    from parakeet_asr.core.profiles import profile

    names = (*SESSION_OPTIONS, "agreeing_looks")
    given = {name: value for name in names if (value := getattr(options, name)) is not None}
    return replace(profile(options.profile), **given)


_COMMANDS: dict[str, Callable[[argparse.Namespace], int]] = {
    "transcribe": _transcribe,
    "stream": _stream,
    "listen": _listen,
    "devices": _devices,
    "features": _features,
}


if __name__ == "__main__":
    sys.exit(main())
