"""The results for people: a table on the terminal, and the measured part of docs/benchmarks.md."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table

from parakeet_asr.errors import ConfigurationError
from parakeet_asr_tools.benchmark.processes import OURS
from parakeet_asr_tools.benchmark.results import QUANTITIES, Measured, Quantity, Results, verdicts

BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"
NOTHING = "-"
UNDISTURBED = 0.9  # of the time of every thread
_AIMS = ("Aim", "Ours", "Best peer", "Ratio", "Reached")

NAMES = {
    OURS: "parakeet_asr",
    "nemo": "NeMo",
    "onnx_asr": "onnx-asr",
    "sherpa_onnx": "sherpa-onnx",
}
"""What the contenders are called in print."""

_SHARES: tuple[tuple[str, Callable[[Measured], Sequence[float]]], ...] = (
    ("WER", lambda m: m.wer),
    ("utterances with NeMo's tokens", lambda m: m.equal_utterances),
    ("token errors", lambda m: m.token_error_rate),
)
"""Columns that hold a share at batch 1 and one at batch 16."""


def print_results(results: Results, console: Console) -> None:
    """The tables on a terminal."""
    console.print(f"\n[bold]{_headline(results)}[/bold]")
    for header, rows in ((_header(results), _rows(results)), (_AIMS, _verdict_rows(results))):
        table = Table()
        for number, title in enumerate(header):
            table.add_column(title, justify="left" if number == 0 else "right")
        for row in rows:
            table.add_row(*row)
        console.print(table)
    for line in _disturbance(results):
        console.print(f"[yellow]{line}[/yellow]")
    for name, reason in _missing(results):
        console.print(f"[yellow]{name}[/yellow]: {reason}", highlight=False)


def markdown(results: Results, figure: str | None) -> str:
    """The measured part of docs/benchmarks.md."""
    machine = "; ".join(f"{name}: {value}" for name, value in results.machine.items())
    lines = [
        f"{_headline(results)}.",
        "",
        f"Machine: {machine}. Token ids are compared with those of: {results.reference or 'nobody'}.",
        "",
        *_markdown_table(_header(results), _rows(results)),
        "",
        "Median of the rounds, the best round in parentheses. RTFx is seconds of audio per second of time,",
        "or of processor time. Word error rate and agreement of tokens are those of all the audio, at",
        "batch 1 / batch 16 where they differ.",
        *_disturbance(results),
        "",
        *([f"![The same numbers as bars]({figure})", ""] if figure else []),
        *_markdown_table(_AIMS, _verdict_rows(results)),
        "",
        *(f"- {name}: {reason}" for name, reason in _missing(results)),
    ]
    return "\n".join(lines).rstrip() + "\n"


def write_docs(results: Results, path: Path, figure: str | None) -> None:
    """Replace what stands between the two marks of ``path`` by the results.

    Raises:
        ConfigurationError: the marks are not there.
    """
    text = path.read_text(encoding="utf-8")
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ConfigurationError(f"{path}: expected the lines {BEGIN!r} and {END!r} around the results")
    path.write_text(f"{before}{BEGIN}\n\n{markdown(results, figure)}\n{END}{after}", encoding="utf-8")


def _headline(results: Results) -> str:
    return (
        f"{results.date}: model {results.model}, {results.corpus}, {results.utterances} utterances, "
        f"{results.duration_s / 60:.1f} minutes of audio ({results.timed_s / 60:.1f} of them timed), "
        f"{results.threads} thread{'s' if results.threads > 1 else ''}, {results.rounds} rounds"
    )


def _disturbance(results: Results) -> list[str]:
    """A warning when others used the processor meanwhile: then only the ratios mean something."""
    shares = [share / results.threads for one in results.measured for share in one.cores]
    if not shares or median(shares) >= UNDISTURBED:
        return []
    return [
        f"The machine was not free: contenders got {100 * median(shares):.0f} % of the processor time "
        "that they could have used. Compare them with each other, not with another run."
    ]


def _header(results: Results) -> tuple[str, ...]:
    return ("", *(NAMES[one.name] for one in results.measured))


def _rows(results: Results) -> list[tuple[str, ...]]:
    """One row per quantity, one column per contender."""
    rows = [(q.title, *(_number(q, one) for one in results.measured)) for q in QUANTITIES]
    rows += [(title, *(_percent(values(one)) for one in results.measured)) for title, values in _SHARES]
    cores = (f"{median(one.cores):.2f}" if one.cores else NOTHING for one in results.measured)
    versions = (", ".join(f"{n} {v}" for n, v in one.versions.items()) or NOTHING for one in results.measured)
    return [*rows, ("cores busy", *cores), ("versions", *versions)]


def _number(quantity: Quantity, one: Measured) -> str:
    middle, best = quantity.middle(one), quantity.best(one)
    if middle is None or best is None:
        return NOTHING
    return f"{middle:.{quantity.digits}f} ({best:.{quantity.digits}f})"


def _percent(shares: Sequence[float]) -> str:
    """One number where both batch sizes gave the same."""
    texts = list(dict.fromkeys(f"{100 * share:.2f}" for share in shares))
    return f"{' / '.join(texts)} %" if texts else NOTHING


def _verdict_rows(results: Results) -> list[tuple[str, ...]]:
    return [
        (
            f"{v.title}: {v.aim}",
            f"{v.ours:.2f}",
            NAMES.get(v.peer, NOTHING),
            NOTHING if v.ratio is None else f"{v.ratio:.2f}",
            "yes" if v.reached else "no",
        )
        for v in verdicts(results)
    ]


def _missing(results: Results) -> list[tuple[str, str]]:
    failed = [(NAMES[one.name], f"failed: {one.error}") for one in results.measured if one.error]
    return [*((NAMES[name], reason) for name, reason in results.skipped.items()), *failed]


def _markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    lines = [header, ["---"] * len(header), *rows]
    return ["| " + " | ".join(cells) + " |" for cells in lines]
