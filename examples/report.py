"""What the demo shows at the end: expected and heard side by side, and the numbers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from parakeet_asr.core.edit_distance import edit_distance

ACCEPTABLE_WER = 0.25  # the bundled model makes far fewer errors on the samples; more means a fault


@dataclass(slots=True)
class Heard:
    """One utterance that was played."""

    audio: str
    expected: str
    duration_s: float
    text: str = ""  # what was heard; "" when nothing
    latency_s: float | None = None  # from its last sample to the final transcript


def words(text: str) -> list[str]:
    """Lower case, without punctuation."""
    return re.sub(r"[^\w' ]", " ", text.lower()).split()


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest value that at least ``percent`` of all do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * int(percent) // 100) - 1)]


def summarize(utterances: Sequence[Heard]) -> bool:
    """Print the summary; whether recognition worked."""
    wrong = total = 0
    print("\nexpected  ->  heard, where they differ:")
    for u in utterances:
        count = edit_distance(words(u.expected), words(u.text))
        wrong, total = wrong + count, total + len(words(u.expected))
        if count:
            print(f"  {u.audio}: {u.expected}  ->  {u.text or '(nothing)'}")
    if not wrong:
        print("  nowhere")
    wer = wrong / total if total else 1.0
    heard = [u for u in utterances if u.latency_s is not None]
    print(f"\nutterances heard    {len(heard)} of {len(utterances)}")
    print(f"word error rate     {100 * wer:.1f} %  ({wrong} of {total} words)")
    if heard:
        latencies = [u.latency_s for u in heard if u.latency_s is not None]
        factor = sum(latencies) / sum(u.duration_s for u in heard)
        print(f"latency             p50 {1e3 * percentile(latencies, 50):.0f} ms, "
              f"p95 {1e3 * percentile(latencies, 95):.0f} ms  (last sample to final transcript)")  # fmt: skip
        print(f"real-time factor    {factor:.3f}  (latency over the utterance's duration)")
    if wer > ACCEPTABLE_WER:
        print(
            f"\nthis is not how it should be: more than {100 * ACCEPTABLE_WER:.0f} % of the words are wrong"
        )
    return wer <= ACCEPTABLE_WER
