"""``parakeet-asr-tools bench-stream``."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markdown import Markdown

from parakeet_asr.core.profiles import PROFILES
from parakeet_asr.model_directory import resolve_model
from parakeet_asr_tools.benchmark.corpus import write_corpus
from parakeet_asr_tools.benchmark.processes import OURS, find_entrants
from parakeet_asr_tools.benchmark.stream_report import markdown, write_section
from parakeet_asr_tools.benchmark.stream_run import NEMO, StreamRun, StreamRunOptions

SPEECH = (Path("../shared/speech"), Path("examples/samples"))
OUTPUT = Path("out/bench-stream")
DOCS = Path("docs/streaming.md")


def add_parser(subparsers: Any) -> None:
    """Add ``bench-stream`` to the command line."""
    default = StreamRunOptions()
    bench = subparsers.add_parser(
        "bench-stream", help="measure streaming: errors, latencies, revisions and computing, beside NeMo's"
    )
    bench.add_argument("--model", default="demo", help="our model directory, or the name of one (demo)")
    bench.add_argument("--nemo", type=Path, help="the same weights for NeMo (the .nemo beside the model)")
    bench.add_argument("--speech", type=Path, help="folder with manifest.jsonl")
    bench.add_argument("--limit-s", type=float, help="take about this many seconds of audio only")
    bench.add_argument("--windows", nargs="+", default=default.windows, help="left-chunk-right in seconds")
    bench.add_argument("--threads", type=int, default=default.threads, help="of the contenders (1)")
    bench.add_argument("--rounds", type=int, default=default.rounds, help="interleaved repetitions (3)")
    bench.add_argument("--timed-s", type=float, default=default.timed_s, help="audio per timed round (300)")
    bench.add_argument("--live-s", type=float, default=default.live_s, help="audio of live sessions (600)")
    bench.add_argument("--peers", type=Path, default=Path(".venv-peers"), help="where NeMo's environment is")
    bench.add_argument("--output", type=Path, default=OUTPUT, help=f"folder for the results ({OUTPUT})")
    bench.add_argument("--docs", action="store_true", help=f"write them to {DOCS}, too")
    bench.set_defaults(run=run_bench_stream)


def run_bench_stream(arguments: argparse.Namespace) -> None:
    """Measure, print and write.

    Raises:
        ParakeetError: something is missing, or a contender failed.
    """
    console = Console()
    model = resolve_model(arguments.model)
    nemo_file = arguments.nemo or model / f"{model.name}.nemo"
    entrants, skipped = find_entrants(model, nemo_file, arguments.peers, [OURS, NEMO])
    for name, reason in skipped.items():
        console.print(f"[yellow]{name} is skipped:[/yellow] {reason}", highlight=False)
    speech = arguments.speech or next((path for path in SPEECH if path.is_dir()), SPEECH[-1])
    options = StreamRunOptions(
        tuple(arguments.windows), arguments.threads, arguments.rounds, arguments.timed_s, arguments.live_s
    )
    with tempfile.TemporaryDirectory(prefix="parakeet-bench-") as scratch:
        corpus = write_corpus(speech, Path(scratch, "pool.f32"), arguments.limit_s)
        run = StreamRun(corpus, entrants, options, PROFILES, lambda line: console.print(line, style="dim"))
        results = run.measure(skipped)
    results.write(arguments.output / "results.json")
    text = markdown(results)
    (arguments.output / "results.md").write_text(text, encoding="utf-8")
    console.print(Markdown(text))
    console.print(f"written: {arguments.output}/results.json, results.md")
    if arguments.docs:
        write_section(DOCS, "bench-stream", text)
        console.print(f"written: {DOCS}")
