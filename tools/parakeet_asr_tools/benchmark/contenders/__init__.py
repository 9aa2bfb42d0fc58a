"""One module per contender; each is imported in that contender's own process only.

A contender is set up as its authors recommend for a CPU, with the number of threads of the job, and
where it leaves a choice, with the faster one (measured; see docs/decisions/0004-benchmark-method.md).
"""

from __future__ import annotations

from importlib import import_module
from typing import Protocol, cast, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from parakeet_asr_tools.benchmark.job import Hypothesis

FloatArray = NDArray[np.float32]


class Contender(Protocol):
    """A recognizer under test. Audio is [n] float32 at 16 kHz, already in memory."""

    def load(self, model: str, threads: int) -> None:
        """Import the framework and load the model, ready to transcribe."""
        ...

    def transcribe(self, audio: list[FloatArray]) -> list[str]:
        """What a user calls for text, for one batch. This is what is timed."""
        ...

    def transcribe_ids(self, audio: list[FloatArray]) -> list[Hypothesis]:
        """The same with token ids; never timed."""
        ...

    def features(self, samples: FloatArray) -> None:
        """Log-mel features of one utterance as the model wants them, normalisation included."""
        ...

    def versions(self) -> dict[str, str]:
        """Versions of what does the work."""
        ...


@runtime_checkable
class Staged(Protocol):
    """A contender whose stages can be timed apart."""

    def stages(self, audio: list[FloatArray]) -> dict[str, float]:
        """Seconds per stage of one batch, in their order; the device has finished each before the next."""
        ...


def create(name: str) -> Contender:
    """The contender of that name, not loaded yet; behind a colon its window, or how it is to run."""
    kind, _, window = name.partition(":")
    module = import_module(f"{__name__}.{kind}")
    return cast(Contender, module.create(window) if window else module.create())
