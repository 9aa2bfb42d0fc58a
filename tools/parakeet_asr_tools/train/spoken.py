"""``parakeet-asr-tools speak``: sentences become recordings and a manifest, spoken by a synthesizer."""

from __future__ import annotations

import argparse
import random
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from parakeet_asr.errors import ConfigurationError
from parakeet_asr.records import SAMPLE_RATE_HZ
from parakeet_asr_tools.console import console, progress
from parakeet_asr_tools.train.synthesizers import SYNTHESIZERS, EspeakVoice, Voice

MANIFEST = "manifest.jsonl"


def add_parser(commands: Any) -> None:
    """Declare the command."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "speak",
        help="make recordings of sentences with eSpeak NG or Flite, for training",
        description="Speak sentences in many synthetic voices and write DIR/manifest.jsonl for `train`. "
        "Needs the program (Debian and Ubuntu: sudo apt install espeak-ng, or flite).",
    )
    parser.add_argument("out", type=Path, metavar="DIR")
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--sentences", type=Path, metavar="FILE", help="one sentence per line")
    source.add_argument("--commands", type=int, metavar="N", help="draw N different commands for a robot")
    parser.add_argument("--without", type=Path, metavar="MANIFEST", help="leave its sentences out")
    parser.add_argument("--times", type=int, default=1, help="voices per sentence (default: %(default)s)")
    parser.add_argument("--set", default="", help="name of the set (default: the folder's)")
    parser.add_argument(
        "--synthesizer", choices=list(SYNTHESIZERS), default=EspeakVoice.program,
        help="what speaks (default: %(default)s); another one than in training tells whether words were "
        "learnt or a voice",
    )  # fmt: skip
    parser.add_argument("--seed", type=int, default=0, help="of sentences and voices (default: %(default)s)")
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> None:
    from parakeet_asr_tools.benchmark.accuracy import words
    from parakeet_asr_tools.train.manifest import read_manifest
    from parakeet_asr_tools.train.robot_commands import sentences as robot_commands

    if arguments.sentences:
        lines = arguments.sentences.read_text(encoding="utf-8").splitlines()
        texts = [line.strip() for line in lines if line.strip()]
    else:
        texts = robot_commands(arguments.commands, arguments.seed)
    if arguments.without:
        excluded = {tuple(words(row.text)) for row in read_manifest(arguments.without)}
        texts = [text for text in texts if tuple(words(text)) not in excluded]
    with progress(f"speaking {len(texts) * arguments.times} sentences"):
        seconds = speak(
            texts * arguments.times, arguments.out, arguments.seed, arguments.set,
            SYNTHESIZERS[arguments.synthesizer],
        )  # fmt: skip
    console.print(
        f"{arguments.out / MANIFEST}: {len(texts) * arguments.times} utterances, {seconds / 60:.1f} minutes"
    )


def speak(
    texts: Sequence[str], out: Path, seed: int, group: str = "", synthesizer: type[Voice] = EspeakVoice
) -> float:
    """Speak every text in a voice drawn for it; gives the seconds of sound.

    Args:
        texts: sentences.
        out: folder for the recordings (16 kHz FLAC) and the manifest.
        seed: of the voices.
        group: the set's name in the manifest; the folder's by default.
        synthesizer: whose voices.

    Raises:
        ConfigurationError: the synthesizer is not installed or fails.
    """
    from parakeet_asr_tools.train.manifest import Utterance, write_manifest

    if shutil.which(synthesizer.program) is None:
        raise ConfigurationError(
            f"{synthesizer.program} is not installed: sudo apt install {synthesizer.package}"
        )
    out.mkdir(parents=True, exist_ok=True)
    chance = random.Random(seed)  # noqa: S311  # not for secrets
    voices = [synthesizer.drawn(chance) for _ in texts]

    def one(number: int) -> Utterance:
        path = out / f"{number:06d}.flac"
        duration_s = _speak(texts[number], voices[number], path)
        return Utterance(path, texts[number], duration_s, group or out.name)

    with ThreadPoolExecutor() as pool:
        rows = list(pool.map(one, range(len(texts))))
    write_manifest(out / MANIFEST, rows)
    return sum(row.duration_s for row in rows)


def _speak(text: str, voice: Voice, path: Path) -> float:
    import soundfile

    from parakeet_asr.sources.audio_file import read_audio

    with tempfile.TemporaryDirectory() as scratch:
        wav = Path(scratch) / "speech.wav"
        done = subprocess.run(voice.command(text, wav), capture_output=True, text=True, check=False)
        if done.returncode or not wav.is_file():
            raise ConfigurationError(
                f"{voice.program} failed on {text!r} with {voice}: {done.stderr.strip()}"
            )
        samples = read_audio(wav)
    soundfile.write(path, samples, SAMPLE_RATE_HZ)
    return len(samples) / SAMPLE_RATE_HZ
