"""Programs that speak: which voices they have, and how they are called."""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

_ACCENTS = ("en-us", "en-gb", "en-gb-x-rp", "en-gb-scotland", "en-029", "en-us-nyc")
_VARIANTS = (
    "m1", "m2", "m3", "m4", "m5", "m6", "m7", "m8", "f1", "f2", "f3", "f4", "f5", "klatt", "klatt2",
    "klatt4", "Alex", "Alicia", "Andrea", "Andy", "Annie", "Denis", "Diogo", "Gene", "Gene2", "Hugo",
    "Jacky", "Lee", "Marco", "Mario", "Michael", "Mike", "Nguyen", "adam", "anika", "antonio", "belinda",
    "benjamin", "boris", "caleb", "david", "ed", "edward", "edward2", "gustave", "iven", "iven2", "iven3",
    "iven4", "john", "linda", "marcelo", "max", "michel", "miguel", "norbert", "pablo", "paul", "pedro",
    "quincy", "rob", "robert", "sandro", "shelby", "steph", "steph2", "steph3", "travis", "victor", "zac",
)  # fmt: skip
_FLITE_MEAN_HZ = {"slt": (150, 210), "rms": (80, 120), "awb": (100, 150), "kal16": (85, 130)}


class Voice(ABC):
    """How a program speaks one sentence."""

    program: ClassVar[str]
    package: ClassVar[str]  # of Debian and Ubuntu

    @classmethod
    @abstractmethod
    def drawn(cls, chance: random.Random) -> Voice:
        """Any of the program's voices, at any of the speeds and pitches at which people would listen."""

    @abstractmethod
    def command(self, text: str, wav: Path) -> list[str]:
        """The command line that says the text into a WAV file."""


@dataclass(frozen=True, slots=True)
class EspeakVoice(Voice):
    """eSpeak NG: formants, hundreds of voices that all sound like machines."""

    program = "espeak-ng"
    package = "espeak-ng"

    accent: str
    variant: str
    words_per_minute: int
    pitch: int  # 0..99

    @classmethod
    def drawn(cls, chance: random.Random) -> EspeakVoice:
        """See :class:`Voice`."""
        return cls(
            chance.choice(_ACCENTS),
            chance.choice(_VARIANTS),
            round(chance.uniform(120, 200)),
            round(chance.uniform(20, 80)),
        )

    def command(self, text: str, wav: Path) -> list[str]:
        """See :class:`Voice`."""
        options = ["-v", f"{self.accent}+{self.variant}", "-s", str(self.words_per_minute)]
        return [self.program, *options, "-p", str(self.pitch), "-w", str(wav), "--", text]


@dataclass(frozen=True, slots=True)
class FliteVoice(Voice):
    """Flite: four voices, three of them of people who were recorded."""

    program = "flite"
    package = "flite"

    name: str
    stretch: float  # of the durations
    mean_hz: int  # of the fundamental

    @classmethod
    def drawn(cls, chance: random.Random) -> FliteVoice:
        """See :class:`Voice`."""
        name = chance.choice(sorted(_FLITE_MEAN_HZ))
        return cls(name, round(chance.uniform(0.8, 1.25), 2), round(chance.uniform(*_FLITE_MEAN_HZ[name])))

    def command(self, text: str, wav: Path) -> list[str]:
        """See :class:`Voice`."""
        settings = [f"duration_stretch={self.stretch}", f"int_f0_target_mean={self.mean_hz}"]
        options = [part for setting in settings for part in ("--setf", setting)]
        return [self.program, "-voice", self.name, *options, "-t", text, "-o", str(wav)]


SYNTHESIZERS: dict[str, type[Voice]] = {voice.program: voice for voice in (EspeakVoice, FliteVoice)}
