"""Voices of the robot: text in, samples out."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Protocol

from parakeet_asr.records import FloatArray
from parakeet_asr.sources.audio_file import read_audio

FOLDER = Path(__file__).resolve().parent / "voice"
SYNTHESIS_TIMEOUT_S = 20.0
MISSING = (
    "espeak-ng is not installed, so the robot can only say the recorded sentences; "
    "for any text: sudo apt install espeak-ng"
)


class Voice(Protocol):
    """Something that can say a text."""

    def speak(self, text: str) -> FloatArray:
        """The text as [n] float32 at 16 kHz.

        Raises:
            ValueError: it cannot say this.
        """
        ...


class EspeakVoice:
    """Any text, by Debian's and Ubuntu's espeak-ng."""

    def speak(self, text: str) -> FloatArray:
        """The text as [n] float32 at 16 kHz."""
        with tempfile.NamedTemporaryFile(suffix=".wav") as file:
            command = ["espeak-ng", "-v", "en-us", "-s", "165", "-w", file.name, "--stdin"]
            try:
                subprocess.run(
                    command,
                    input=text.encode(),
                    check=True,
                    timeout=SYNTHESIS_TIMEOUT_S,
                    stderr=subprocess.PIPE,
                )
            except (subprocess.SubprocessError, OSError) as error:
                raise ValueError(f"espeak-ng did not say {text!r}: {error}") from error
            return read_audio(file.name)


class RecordedVoice:
    """The sentences in voice/, which espeak-ng has said before."""

    def __init__(self) -> None:
        """Read the list."""
        self._paths = {row["text"]: FOLDER / row["audio"] for row in _recordings()}

    def speak(self, text: str) -> FloatArray:
        """One of the recorded sentences, word for word."""
        path = self._paths.get(text.strip())
        if path is None:
            raise ValueError(f"there is no recording of {text!r}; {MISSING}")
        return read_audio(path)


def open_voice(name: str = "auto") -> Voice:
    """A voice: ``espeak``, ``recorded``, or ``auto`` for espeak where it is installed.

    Raises:
        ValueError: there is no voice of that name, or it is not installed.
    """
    installed = shutil.which("espeak-ng") is not None
    if name == "recorded" or (name == "auto" and not installed):
        return RecordedVoice()
    if name not in ("auto", "espeak"):
        raise ValueError(f"voice: expected auto, espeak or recorded, got {name!r}")
    if not installed:
        raise ValueError(MISSING)
    return EspeakVoice()


def robot_sentences() -> list[str]:
    """What was recorded, in the order of the list."""
    return [row["text"] for row in _recordings()]


def _recordings() -> list[dict[str, str]]:
    lines = (FOLDER / "manifest.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def record(sentences: Path = FOLDER / "sentences.txt") -> None:
    """Make voice/ anew: `python examples/duplex/voices.py`."""
    import soundfile

    voice = EspeakVoice()
    with (FOLDER / "manifest.jsonl").open("w", encoding="utf-8") as manifest:
        for number, text in enumerate(sentences.read_text(encoding="utf-8").splitlines(), 1):
            name = f"robot-{number:02d}.ogg"
            soundfile.write(FOLDER / name, voice.speak(text), 16_000, format="OGG", subtype="VORBIS")
            print(json.dumps({"audio": name, "text": text}), file=manifest)


if __name__ == "__main__":
    record()
