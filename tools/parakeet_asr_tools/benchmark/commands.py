"""``parakeet-asr-tools bench`` and ``bench-report``."""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

from rich.console import Console

from parakeet_asr.model_directory import resolve_model
from parakeet_asr_tools.benchmark.corpus import Corpus, write_corpus
from parakeet_asr_tools.benchmark.figure import draw
from parakeet_asr_tools.benchmark.processes import OURS, PEERS, ChildError, find_entrants
from parakeet_asr_tools.benchmark.report import markdown, print_results, write_docs
from parakeet_asr_tools.benchmark.results import Results
from parakeet_asr_tools.benchmark.run import Run, RunOptions

SPEECH = (Path("../shared/speech"), Path("examples/samples"))
NEMO_TOKENS = (Path("../shared/golden/nemo_tokens.jsonl"), Path("tests/data/nemo_tokens_samples.jsonl"))
ENVIRONMENTS = Path(".venv-peers")
OUTPUT = Path("out/bench")
DOCS = Path("docs/benchmarks.md")
FIGURE = Path("figures/benchmarks.png")  # from the document


def add_parser(subparsers: Any) -> None:
    """Add ``bench`` and ``bench-report`` to the command line."""
    bench = subparsers.add_parser(
        "bench", help="measure speed and memory beside NeMo, onnx-asr and sherpa-onnx, and write the results"
    )
    bench.add_argument("--model", default="demo", help="our model directory, or the name of one (demo)")
    bench.add_argument(
        "--nemo", type=Path, help="the same weights for the peers (the .nemo beside the model)"
    )
    bench.add_argument("--speech", type=Path, help=f"folder with manifest.jsonl (first of {_names(SPEECH)})")
    bench.add_argument("--limit-s", type=float, help="use about this many seconds of audio, for a quick run")
    bench.add_argument("--timed-s", type=float, default=600.0, help="audio of a timed round at most (600)")
    bench.add_argument("--threads", type=int, default=1, help="for every contender (1)")
    bench.add_argument("--rounds", type=int, default=3, help="interleaved repetitions (3)")
    bench.add_argument("--cold-rounds", type=int, default=5, help="of the cold start (5)")
    bench.add_argument("--only", nargs="+", choices=[OURS, *PEERS], help="these contenders only")
    bench.add_argument(
        "--peers", type=Path, default=ENVIRONMENTS, help=f"their environments ({ENVIRONMENTS})"
    )
    bench.add_argument("--output", type=Path, default=OUTPUT, help=f"folder for the results ({OUTPUT})")
    bench.add_argument("--docs", action="store_true", help=f"write them to {DOCS}, too")
    bench.set_defaults(run=run_bench)
    report = subparsers.add_parser(
        "bench-report", help="print results of bench again, or write them to the docs"
    )
    report.add_argument("results", type=Path, nargs="?", default=OUTPUT / "results.json")
    report.add_argument("--docs", action="store_true", help=f"write them to {DOCS}")
    report.set_defaults(run=run_report)


def run_bench(arguments: argparse.Namespace) -> None:
    """Measure, print and write.

    Raises:
        ParakeetError: something is missing, or a contender failed (what the others did is written).
    """
    console = Console()
    model = resolve_model(arguments.model)
    nemo_file = arguments.nemo or model / f"{model.name}.nemo"
    entrants, skipped = find_entrants(model, nemo_file, arguments.peers, arguments.only)
    for name, reason in skipped.items():
        console.print(f"[yellow]{name} is skipped:[/yellow] {reason}", highlight=False)
    speech = arguments.speech or next((path for path in SPEECH if path.is_dir()), SPEECH[-1])
    options = RunOptions(arguments.threads, arguments.rounds, arguments.cold_rounds, arguments.timed_s)
    with tempfile.TemporaryDirectory(prefix="parakeet-bench-") as scratch:
        corpus = write_corpus(speech, Path(scratch, "pool.f32"), arguments.limit_s)
        run = Run(corpus, entrants, options, lambda line: console.print(line, style="dim", highlight=False))
        results = run.measure(skipped, _kept_ids(corpus))
    results.write(arguments.output / "results.json")
    _publish(results, arguments.output, arguments.docs, console)
    if failed := [one.name for one in results.measured if one.error]:
        raise ChildError(f"these contenders failed: {', '.join(failed)}; their messages are above")


def run_report(arguments: argparse.Namespace) -> None:
    """Print kept results, and write them to the docs where that is asked for."""
    _publish(Results.read(arguments.results), arguments.results.parent, arguments.docs, Console())


def _publish(results: Results, output: Path, docs: bool, console: Console) -> None:
    print_results(results, console)
    drawn = _draw(results, output / FIGURE.name, console)
    (output / "results.md").write_text(markdown(results, FIGURE.name if drawn else None), encoding="utf-8")
    console.print(f"written: {output}/results.json, results.md{' and ' + FIGURE.name if drawn else ''}")
    if docs:
        drawn = _draw(results, DOCS.parent / FIGURE, console)
        write_docs(results, DOCS, str(FIGURE) if drawn else None)
        console.print(f"written: {DOCS}")


def _draw(results: Results, path: Path, console: Console) -> bool:
    try:
        draw(results, path)
    except ImportError:
        console.print("no plot: matplotlib is not installed (pip install 'parakeet-asr-tools[bench]')")
        return False
    return True


def _kept_ids(corpus: Corpus) -> list[list[int]] | None:
    """NeMo's token ids from the tests' data, if they cover the corpus."""
    for path in NEMO_TOKENS:
        if path.is_file():
            rows = map(json.loads, path.read_text(encoding="utf-8").splitlines())
            ids = {row["audio"]: row["ids"] for row in rows}
            if all(clip.audio in ids for clip in corpus.clips):
                return [ids[clip.audio] for clip in corpus.clips]
    return None


def _names(paths: tuple[Path, ...]) -> str:
    return ", ".join(map(str, paths))
