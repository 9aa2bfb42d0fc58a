"""Words to subtitles: when to begin a new one, and SubRip and WebVTT files."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest

from parakeet_asr.records import Word

LINE_CHARACTERS = 42
CUE_LINES = 2
CUE_MAX_S = 7.0
GAP_S = 1.0  # a silence that ends a cue
_SENTENCE_ENDS = (".", "!", "?", "\u2026", "\u3002")


@dataclass(frozen=True, slots=True)
class Cue:
    """One subtitle."""

    start_s: float
    end_s: float
    lines: tuple[str, ...]


def split_cues(words: Sequence[Word]) -> list[Cue]:
    """Put words into cues of at most two lines of 42 characters and 7 s.

    A cue also ends with a sentence and before a silence of 1 s. A word that alone exceeds a limit makes
    a cue of its own. Cues do not overlap.
    """
    groups = list(_groups(words))
    cues = []
    for group, following in zip_longest(groups, groups[1:]):
        start_s, end_s = group[0].start_s, group[-1].end_s
        if following:
            end_s = max(start_s, min(end_s, following[0].start_s))
        cues.append(Cue(start_s, end_s, tuple(_lines(group))))
    return cues


def to_srt(words: Sequence[Word]) -> str:
    """Write a SubRip file."""
    return "\n".join(
        f"{number}\n{_time(cue.start_s, ',')} --> {_time(cue.end_s, ',')}\n" + "\n".join(cue.lines) + "\n"
        for number, cue in enumerate(split_cues(words), start=1)
    )


def to_vtt(words: Sequence[Word]) -> str:
    """Write a WebVTT file; ``&``, ``<`` and ``>`` are escaped as its cue text demands."""
    cues = (
        f"\n{_time(cue.start_s, '.')} --> {_time(cue.end_s, '.')}\n"
        + "\n".join(map(_escape, cue.lines))
        + "\n"
        for cue in split_cues(words)
    )
    return "WEBVTT\n" + "".join(cues)


def _groups(words: Sequence[Word]) -> Iterator[list[Word]]:
    group: list[Word] = []
    for word in words:
        if group and not _continues(group, word):
            yield group
            group = []
        group.append(word)
    if group:
        yield group


def _continues(group: list[Word], word: Word) -> bool:
    return (
        not group[-1].text.endswith(_SENTENCE_ENDS)
        and word.start_s - group[-1].end_s < GAP_S
        and word.end_s - group[0].start_s <= CUE_MAX_S
        and len(_lines([*group, word])) <= CUE_LINES
    )


def _lines(group: Sequence[Word]) -> list[str]:
    text = " ".join(word.text for word in group)
    return textwrap.wrap(text, LINE_CHARACTERS, break_long_words=False, break_on_hyphens=False)


def _time(seconds: float, decimal_mark: str) -> str:
    minutes, milliseconds = divmod(round(seconds * 1000), 60_000)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{milliseconds // 1000:02}{decimal_mark}{milliseconds % 1000:03}"


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
