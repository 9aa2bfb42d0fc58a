"""The results of ``bench-stream`` as Markdown, and whether each aim was reached."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median

from parakeet_asr.errors import ConfigurationError
from parakeet_asr_tools.benchmark.processes import OURS
from parakeet_asr_tools.benchmark.stream_results import Contended, LiveFigures, StreamResults, WindowFigures

AIM_POINTS = {"10-2-2": 0.5, "10-1-1": 3.0}  # word error rate above offline
AIM_RATIO = 0.5  # of computing, ours over NeMo's
FIRST_PARTIAL_S = 0.5  # after interval and computing
FINAL_S = 0.05  # after the endpoint's silence and computing


def markdown(results: StreamResults) -> str:
    """Tables of one run."""
    machine = "; ".join(f"{name}: {value}" for name, value in results.machine.items())
    versions = "; ".join(
        f"{name}: " + ", ".join(f"{package} {version}" for package, version in of.items())
        for name, of in results.versions.items()
    )
    lines = [
        f"{results.date}: model {results.model}, {results.corpus}, {results.utterances} utterances, "
        f"{results.duration_s / 60:.1f} minutes. Offline WER {100 * results.wer_offline:.2f} %.",
        "",
        f"Machine: {machine}. {versions}.",
        "",
        f"Windows, {results.threads} threads, {results.rounds} interleaved rounds of "
        f"{results.timed_s:.0f} s of audio; computing in seconds per second of audio:",
        "",
        *_table(WINDOW_HEADER, [_window_row(one) for one in results.windows]),
        "",
        "Live sessions on one thread, with drafts and finals, by the virtual clock:",
        "",
        *_table(LIVE_HEADER, [_live_row(one) for one in results.live]),
        "",
        *_table(("Aim", "Measured", "Reached"), list(aims(results))),
        *(f"\n{name} did not take part: {reason}" for name, reason in results.skipped.items()),
    ]
    return "\n".join(lines).rstrip() + "\n"


WINDOW_HEADER = (
    "Window, s", "WER, %", "WER of NeMo, %", "same ids as NeMo", "errors near seams", "offline, same places",
    "computing, processor", "NeMo", "ratio, processor", "ratio, wall", "NeMo, batch 32", "ratio, processor",
)  # fmt: skip


def _window_row(one: WindowFigures) -> tuple[str, ...]:
    ours, nemo, batched = (_find(one, OURS), _find(one, "nemo"), _find(one, "nemo", 32))
    return (
        one.window,
        f"{100 * one.wer_ours:.2f}",
        "-" if one.wer_nemo is None else f"{100 * one.wer_nemo:.2f}",
        "-" if one.equal_ids is None else str(one.equal_ids),
        str(one.seam_errors),
        str(one.offline_errors),
        "-" if ours is None else f"{median(ours.cpu_per_audio):.4f}",
        "-" if nemo is None else f"{median(nemo.cpu_per_audio):.4f}",
        _ratio(ours, nemo, wall=False),
        _ratio(ours, nemo, wall=True),
        "-" if batched is None else f"{median(batched.cpu_per_audio):.4f}",
        _ratio(ours, batched, wall=False),
    )


LIVE_HEADER = (
    "Profile", "differs from the defaults in", "WER offline, %", "final, %", "finals = transcribe",
    "first partial p50 / p95 / p99, s", "stable", "final after silence began", "after the last word",
    "revised, %", "stable words changed", "load",
)  # fmt: skip


def _live_row(one: LiveFigures) -> tuple[str, ...]:
    return (
        one.profile,
        one.options,
        f"{100 * one.wer_offline:.2f}",
        f"{100 * one.wer_final:.2f}",
        f"{one.identical} of {one.utterances}",
        _shares(one.first_partial_s),
        _shares(one.commit_s),
        _shares(one.final_s),
        _shares(one.final_after_word_s),
        f"{100 * one.revision_rate:.0f}",
        str(one.stable_changed),
        f"{one.load:.3f}",
    )


def aims(results: StreamResults) -> Iterator[tuple[str, str, str]]:
    """What is aimed at, what was measured, and yes or no."""
    for one in results.windows:
        points = 100 * (one.wer_ours - results.wer_offline)
        if one.window in AIM_POINTS:
            aim = AIM_POINTS[one.window]
            yield (
                f"streamed {one.window}: at most {aim} points over offline",
                f"{points:+.2f}",
                _yes(points <= aim),
            )
        ours, nemo = _find(one, OURS), _find(one, "nemo")
        if ours and nemo:
            ratio = median(ours.wall_s) / median(nemo.wall_s)
            yield f"{one.window}: at most half of NeMo's computing", f"{ratio:.2f}", _yes(ratio <= AIM_RATIO)
        seams = one.seam_errors, one.offline_errors
        yield (
            f"{one.window}: no more errors near seams than offline",
            f"{seams[0]} : {seams[1]}",
            _yes(seams[0] <= seams[1]),
        )
    for live in results.live:
        yield (
            f"{live.profile}: finals are what `transcribe` gives",
            f"{live.identical} of {live.utterances}",
            _yes(live.identical == live.utterances),
        )
        delay_s = live.first_partial_audio_s[1] - live.interval_s
        yield (
            f"{live.profile}: first partial at most interval + 0.5 s + computing after the word, p95",
            (f"interval {delay_s:+.2f} s + computing"),
            _yes(delay_s <= FIRST_PARTIAL_S),
        )
        delay_s = live.final_audio_s[1] - live.silence_s
        yield (
            f"{live.profile}: final at most silence + 50 ms + computing, p95",
            (f"silence {delay_s:+.3f} s + computing"),
            _yes(delay_s <= FINAL_S),
        )


def write_section(path: Path, name: str, text: str) -> None:
    """Replace what stands between the two marks of that name in a document.

    Raises:
        ConfigurationError: the marks are not there.
    """
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    document = path.read_text(encoding="utf-8")
    before, found, rest = document.partition(begin)
    _, closed, after = rest.partition(end)
    if not (found and closed):
        raise ConfigurationError(f"{path}: expected the lines {begin!r} and {end!r} around the results")
    path.write_text(f"{before}{begin}\n\n{text.strip()}\n\n{end}{after}", encoding="utf-8")


def _find(one: WindowFigures, name: str, batch: int = 1) -> Contended | None:
    return next((c for c in one.contended if c.name == name and c.batch == batch), None)


def _ratio(ours: Contended | None, other: Contended | None, *, wall: bool) -> str:
    if ours is None or other is None:
        return "-"
    a, b = (ours.wall_s, other.wall_s) if wall else (ours.cpu_per_audio, other.cpu_per_audio)
    return f"{median(a) / median(b):.2f}"


def _shares(values: Sequence[float]) -> str:
    return " / ".join(f"{value:.2f}" for value in values)


def _yes(reached: bool) -> str:
    return "yes" if reached else "no"


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return ["| " + " | ".join(cells) + " |" for cells in (header, ["---"] * len(header), *rows)]
