"""Is a smaller model still good enough? Word errors of both on speech, before the new one appears."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from parakeet_asr.errors import ConfigurationError
from parakeet_asr.loader import load_model
from parakeet_asr_tools.benchmark.accuracy import word_error_rate
from parakeet_asr_tools.studies.speech import Spoken, read_speech

MAX_WER_RISE = 0.5  # points of word error rate


@dataclass(frozen=True, slots=True)
class Acceptance:
    """Refuses a model whose word error rate rose too far; see ``optimize_directory``."""

    speech: Path
    every: int = 1  # n-th recording
    max_rise: float = MAX_WER_RISE

    def __call__(self, before: Path, after: Path) -> dict[str, Any]:
        """Compare two model directories.

        Raises:
            ConfigurationError: the rise is above the limit.
        """
        spoken = read_speech(self.speech, self.every)
        old, new = word_errors(before, spoken), word_errors(after, spoken)
        if new - old > self.max_rise:
            raise ConfigurationError(
                f"word error rate rises from {old:.2f} to {new:.2f} % on {len(spoken)} recordings, by more "
                f"than {self.max_rise:g}; nothing was written. Choose a method with more bits or smaller "
                "blocks, or allow more with --max-wer-rise"
            )
        return {
            "folder": self.speech.name,
            "utterances": len(spoken),
            "wer_before": round(old, 3),
            "wer_after": round(new, 3),
        }


def word_errors(directory: Path, spoken: list[Spoken]) -> float:
    """Word error rate in percent of a model directory, without the blank guard."""
    with load_model(directory, guard=None) as model:
        heard = model.transcribe([one.samples for one in spoken])
    return 100.0 * word_error_rate([one.text for one in spoken], [one.text for one in heard])
