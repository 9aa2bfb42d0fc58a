"""``--phrases``: what a recognizer shall listen for, from the command line and from files."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from parakeet_asr.core.phrases import DEFAULT_SCORE, Phrase, parse_phrases
from parakeet_asr.errors import ConfigurationError
from parakeet_asr.loader import Model


@dataclass(frozen=True, slots=True)
class PhraseRequest:
    """What the command line asked for."""

    sources: tuple[str, ...] = ()  # phrases, and files that list them
    score: float = DEFAULT_SCORE
    anti_blank: float = 0.0

    @classmethod
    def from_arguments(cls, options: argparse.Namespace) -> PhraseRequest:
        """From the options that ``cli.arguments`` adds."""
        score = DEFAULT_SCORE if options.phrase_score is None else options.phrase_score
        return cls(tuple(options.phrases), score, options.phrase_anti_blank)


NO_PHRASES = PhraseRequest()


def listen_for(model: Model, request: PhraseRequest) -> None:
    """Set the phrases; those that the model cannot write are named on stderr.

    Raises:
        ConfigurationError: a file cannot be read, a line of it is wrong, or a score is out of range.
    """
    if not request.sources:
        return
    phrases = list(read_phrases(request.sources))
    for skipped in model.recognizer.set_phrases(phrases, request.score, request.anti_blank):
        print(f"parakeet-asr: phrase {skipped.text!r} left out: {skipped.reason}", file=sys.stderr)


def read_phrases(sources: Iterable[str]) -> Iterator[Phrase]:
    """Every source is the name of a file that is there, or else a phrase itself.

    Raises:
        ConfigurationError: a file cannot be read, or a line of it is wrong.
    """
    for source in sources:
        path = Path(source)
        if not path.is_file():
            yield Phrase(source)
            continue
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigurationError(
                f"--phrases: expected a text file in UTF-8, one phrase a line, found {path} ({error})"
            ) from error
        yield from parse_phrases(lines)
