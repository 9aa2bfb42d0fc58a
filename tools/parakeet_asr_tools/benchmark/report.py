"""The results for people: a table on the terminal, and the measured part of docs/benchmarks.md."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from parakeet_asr.errors import ConfigurationError
from parakeet_asr_tools.benchmark.processes import OURS
from parakeet_asr_tools.benchmark.results import QUANTITIES, Measured, Quantity, Results, verdicts

BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"
NOTHING = "-"

NAMES = {
    OURS: "parakeet_asr (this project)",
    "nemo": "NeMo",
    "onnx_asr": "onnx-asr",
    "sherpa_onnx": "sherpa-onnx",
}
"""What the contenders are called in print."""

_EXTRA: tuple[tuple[str, Callable[[Measured], float | None]], ...] = (
    ("WER, batch 1", lambda m: m.wer_batch_1),
    ("WER, batch 16", lambda m: m.wer_batch_16),
    ("same tokens as NeMo", lambda m: m.equal_utterances),
    ("token errors", lambda m: m.token_error_rate),
)


def print_results(results: Results, console: Console) -> None:
    """The tables on a terminal."""
    console.print(f"\n[bold]{_headline(results)}[/bold]")
    table = Table(show_lines=False)
    for number, title in enumerate(_header()):
        table.add_column(title, justify="left" if number == 0 else "right")
    for row in _rows(results):
        table.add_row(*row)
    console.print(table)
    judged = Table("aim", "ours", "best peer", "ratio", "reached")
    for row in _verdict_rows(results):
        judged.add_row(*row)
    console.print(judged)
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
        *_markdown_table(_header(), _rows(results)),
        "",
        "Median of the rounds, the best round in parentheses. RTFx is seconds of audio per second.",
        "",
        *([f"![The same numbers as bars]({figure})", ""] if figure else []),
        *_markdown_table(("Aim", "Ours", "Best peer", "Ratio", "Reached"), _verdict_rows(results)),
        "",
        "| Contender | Versions | Cores busy |",
        "|---|---|---|",
    ]
    for one in results.measured:
        versions = ", ".join(f"{name} {version}" for name, version in one.versions.items())
        cores = f"{max(one.cores):.2f}" if one.cores else NOTHING
        lines.append(f"| {NAMES[one.name]} | {versions or NOTHING} | {cores} |")
    lines += ["", *(f"- {name} did not take part: {reason}" for name, reason in _missing(results))]
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
        f"{results.duration_s / 60:.1f} minutes of audio, {results.threads} thread"
        f"{'s' if results.threads > 1 else ''}, {results.rounds} interleaved rounds"
    )


def _header() -> tuple[str, ...]:
    return ("Contender", *(q.title for q in QUANTITIES), *(title for title, _ in _EXTRA))


def _rows(results: Results) -> list[tuple[str, ...]]:
    rows = []
    for one in results.measured:
        numbers = [_number(quantity, one) for quantity in QUANTITIES]
        shares = [NOTHING if (v := value(one)) is None else f"{100 * v:.2f} %" for _, value in _EXTRA]
        rows.append((NAMES[one.name], *numbers, *shares))
    return rows


def _number(quantity: Quantity, one: Measured) -> str:
    middle, best = quantity.middle(one), quantity.best(one)
    if middle is None or best is None:
        return NOTHING
    return f"{middle:.{quantity.digits}f} ({best:.{quantity.digits}f})"


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
