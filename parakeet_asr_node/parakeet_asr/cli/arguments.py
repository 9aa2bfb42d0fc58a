"""The arguments of every command; nothing heavy is imported, so that ``--help`` answers at once."""

from __future__ import annotations

import argparse
from pathlib import Path

from parakeet_asr import __version__
from parakeet_asr.core.choices import DEVICES, ENGINES

FORMATS = ("text", "json", "srt", "vtt")

SESSION_OPTIONS = {  # fields of core.session.SessionOptions; the profile's values hold
    "chunk_s": "committed at a time",
    "left_s": "context before it",
    "right_s": "context behind it; words are committed after chunk + right",
    "partial_interval_s": "sound between partials; 0: finals only",
    "silence_s": "silence that ends an utterance",
    "max_utterance_s": "longer utterances are cut at their calmest place",
    "gap_tolerance_s": "jitter of the stamps that is no gap; more for a card that knows no time",
}

_Commands = argparse._SubParsersAction  # the type of add_subparsers(); argparse has no public name for it


def make_parser() -> argparse.ArgumentParser:
    """The command line's parser."""
    parser = argparse.ArgumentParser(
        prog="parakeet-asr",
        description="Speech recognition with NVIDIA Parakeet models, without a network.",
        epilog="Exit code: 0 all done, 1 something failed, 2 wrong arguments, 130 interrupted.",
    )
    parser.add_argument("--version", action="version", version=f"parakeet-asr {__version__}")
    parser.add_argument("--verbose", action="store_true", help="log details and tracebacks to stderr")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_transcribe(commands)
    _add_stream(commands)
    _add_listen(commands)
    _add_devices(commands)
    _add_features(commands)
    return parser


def _add_transcribe(commands: _Commands[argparse.ArgumentParser]) -> None:
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
    _add_model(command)
    command.add_argument("--format", choices=FORMATS, default="text", help="default: text")
    command.add_argument(
        "--output",
        metavar="DIR",
        type=Path,
        help="write a file per input there, named like it (made if missing; a second input of the same "
        "name gets -2, and so on); otherwise everything goes to stdout",
    )
    _add_phrases(command)


def _add_stream(commands: _Commands[argparse.ArgumentParser]) -> None:
    command = commands.add_parser(
        "stream",
        help="a recording as a live stream: partials and finals as JSON lines",
        description="Cut a stream into utterances and print a JSON line for every partial and every final.",
        epilog="A line holds event (partial or final), utterance_id, revision, text, stable_words (that many "
        "will not change before the final), agreed_words (that many are alike in two looks: settled for a "
        "display), words, start_s, end_s, audio_s (pushed so far) and latency_s (since the last arrived).",
    )
    command.add_argument("file", metavar="FILE", help="audio file; - reads raw 16 kHz mono S16LE from stdin")
    command.add_argument("--realtime", action="store_true", help="push at the speed of sound")
    command.add_argument(
        "--block-s", type=float, default=0.1, metavar="S", help="push this much at a time (default: 0.1)"
    )
    _add_model(command)
    _add_phrases(command)
    _add_session(command)


def _add_listen(commands: _Commands[argparse.ArgumentParser]) -> None:
    command = commands.add_parser(
        "listen",
        help="a microphone: partials and finals as JSON lines",
        description="Like stream, from a microphone, until Ctrl-C. Needs sounddevice and PortAudio.",
    )
    command.add_argument(
        "--device", default="", metavar="NAME", help="name, part of a name or index (default: the system's)"
    )
    _add_model(command)
    _add_phrases(command)
    _add_session(command)


def _add_devices(commands: _Commands[argparse.ArgumentParser]) -> None:
    commands.add_parser("devices", help="list the microphones", description="List what can record.")


def _add_model(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--model",
        default="demo",
        metavar="PATH",
        help="model directory or .nemo file, or the name of a model that came with it (default: demo)",
    )
    command.add_argument("--threads", metavar="N", type=_positive, help="CPU threads (default: all cores)")
    command.add_argument(
        "--engine", choices=ENGINES, default="auto", help="default: auto, torch for a .nemo file, else ort"
    )
    command.add_argument(
        "--engine-device", choices=DEVICES, default="auto", help="default: auto, which is the CPU for ort"
    )


def _add_phrases(command: argparse.ArgumentParser) -> None:
    group = command.add_argument_group(
        "phrases, such as names, that the model shall prefer where they may fit"
    )
    group.add_argument(
        "--phrases",
        action="append",
        default=[],
        metavar="TEXT|FILE",
        help="a phrase, or a file with one a line; may be given again",
    )
    group.add_argument(
        "--phrase-score", type=float, metavar="NATS", help="what a phrase is worth (default: 5)"
    )
    group.add_argument(
        "--phrase-anti-blank",
        type=float,
        default=0.0,
        metavar="NATS",
        help="let a phrase that has begun win against silence that is ahead by less (default: 0)",
    )


def _add_session(command: argparse.ArgumentParser) -> None:
    group = command.add_argument_group("streaming, in seconds")
    group.add_argument(
        "--profile",
        choices=("robot", "nano"),
        default="robot",
        help="robot: first words fast (default); nano: little computing; single options below override it",
    )
    for name, meaning in SESSION_OPTIONS.items():
        group.add_argument(f"--{name.replace('_', '-')}", type=float, metavar="S", help=meaning)
    group.add_argument(
        "--agreeing-looks",
        type=int,
        metavar="N",
        help="looks in a row that must have a word alike before it counts as agreed (default: 2)",
    )


def _add_features(commands: _Commands[argparse.ArgumentParser]) -> None:
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
