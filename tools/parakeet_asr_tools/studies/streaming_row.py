"""What the sweep of windows says about one setting, and how it is printed."""

from __future__ import annotations

from dataclasses import dataclass

from parakeet_asr.core.session import SessionOptions

HEADER = (
    "left-chunk-right, s", "partials every, s", "WER streamed, %", "WER final, %", "first partial p50, s",
    "p95, s", "stable p50, s", "p95, s", "revised, %", "load, short", "load, long", "without drafts",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Row:
    """One setting and what it gave."""

    options: SessionOptions
    wer_streamed: float
    wer_final: float
    first_partial_s: tuple[float, float]  # median and 95th percentile after the first word's end
    commit_s: tuple[float, float]  # the same until a word is stable
    revision_rate: float
    load: float  # seconds of computing per second of sound, short utterances with pauses
    long_load: float  # the same in continuous speech
    long_load_without_drafts: float

    @property
    def label(self) -> str:
        """Window and interval, short."""
        return label(self.options)

    def cells(self) -> tuple[str, ...]:
        """As printed, in the order of ``HEADER``."""
        o = self.options
        return (
            f"{o.left_s:g}-{o.chunk_s:g}-{o.right_s:g}",
            f"{o.partial_interval_s:g}",
            f"{100 * self.wer_streamed:.2f}",
            f"{100 * self.wer_final:.2f}",
            *(f"{value:.2f}" for value in (*self.first_partial_s, *self.commit_s)),
            f"{100 * self.revision_rate:.0f}",
            *(f"{value:.3f}" for value in (self.load, self.long_load, self.long_load_without_drafts)),
        )


def label(options: SessionOptions) -> str:
    """Window and interval, short."""
    o = options
    return f"{o.left_s:g}-{o.chunk_s:g}-{o.right_s:g} / {o.partial_interval_s:g}"
