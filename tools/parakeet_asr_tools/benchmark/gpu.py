"""``parakeet-asr-tools bench-gpu``: engines and peers on a CUDA card, with a full-size model made there."""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from rich.console import Console

from parakeet_asr.errors import EngineError
from parakeet_asr_tools.benchmark.corpus import write_corpus
from parakeet_asr_tools.benchmark.processes import Entrant

SPEECH = (Path("../shared/speech"), Path("examples/samples"))
OUTPUT = Path("out/bench-gpu")
DOCS = Path("docs/benchmarks.md")
OURS = "parakeet_asr_gpu"
# contender: the environment of scripts/setup-peers; None is this one
ENVIRONMENTS = {
    f"{OURS}:torch": None,
    f"{OURS}:torch-float32": None,
    f"{OURS}:torch-compiled": None,
    f"{OURS}:ort": "ort_cuda",
    "nano_parakeet": "nano",
    "nemo_gpu:float16": "nemo",
    "nemo_gpu:bfloat16": "nemo",
}
DEFAULT = [name for name in ENVIRONMENTS if name != f"{OURS}:torch-compiled"]


def add_parser(commands: Any) -> None:
    """Declare the commands."""
    bench = commands.add_parser(
        "bench-gpu", help="speed, cold start and stages on a CUDA card, beside nano-parakeet and NeMo"
    )
    bench.add_argument("--nemo", type=Path, help="the .nemo (made with random weights: see --preset)")
    bench.add_argument("--preset", default="v3", help="of the random model (v3: full size)")
    bench.add_argument("--speech", type=Path, help="folder with manifest.jsonl")
    bench.add_argument("--limit-s", type=float, default=400.0, help="seconds of audio at most (400)")
    bench.add_argument("--batches", type=int, nargs="+", default=[1, 32])
    bench.add_argument("--rounds", type=int, default=5, help="after two for warming up (5)")
    bench.add_argument("--cold-rounds", type=int, default=3)
    bench.add_argument("--only", nargs="+", choices=list(ENVIRONMENTS), default=DEFAULT)
    bench.add_argument("--peers", type=Path, default=Path(".venv-peers"), help="their environments")
    bench.add_argument("--output", type=Path, default=OUTPUT)
    bench.add_argument("--docs", action="store_true", help=f"write the tables to {DOCS}, too")
    bench.set_defaults(run=run_bench)
    report = commands.add_parser("bench-gpu-report", help="write kept results of bench-gpu to the docs")
    report.add_argument("results", type=Path, nargs="?", default=OUTPUT / "results.json")
    report.set_defaults(run=run_report)


def run_bench(arguments: argparse.Namespace) -> None:
    """Measure, print and write.

    Raises:
        EngineError: there is no CUDA device.
        ParakeetError: the model cannot be made or read.
    """
    import torch

    if not torch.cuda.is_available():
        raise EngineError(f"bench-gpu: this PyTorch ({torch.__version__}) sees no CUDA device")
    from parakeet_asr_tools.benchmark.gpu_results import markdown, write_docs
    from parakeet_asr_tools.benchmark.gpu_run import GpuOptions, GpuRun

    console = Console()

    def say(line: str) -> None:
        console.print(line, style="dim", highlight=False, markup=False)

    nemo_file = arguments.nemo or _made(arguments.preset, arguments.output, say)
    entrants, skipped = _entrants(arguments.only, nemo_file, arguments.output, arguments.peers, say)
    speech = arguments.speech or next((path for path in SPEECH if path.is_dir()), SPEECH[-1])
    options = GpuOptions(tuple(arguments.batches), arguments.rounds, arguments.cold_rounds)
    with tempfile.TemporaryDirectory(prefix="parakeet-bench-") as scratch:
        corpus = write_corpus(speech, Path(scratch, "pool.f32"), arguments.limit_s)
        results = GpuRun(corpus, entrants, nemo_file, options, say).measure(skipped)
    results.write(arguments.output / "results.json")
    console.print(markdown(results), highlight=False, markup=False, soft_wrap=True)
    if arguments.docs:
        write_docs(results, DOCS)


def run_report(arguments: argparse.Namespace) -> None:
    """Write kept results to the docs."""
    from parakeet_asr_tools.benchmark.gpu_results import GpuResults, write_docs

    write_docs(GpuResults.read(arguments.results), DOCS)


def _made(preset: str, folder: Path, say: Any) -> Path:
    path: Path = folder / f"{preset}.nemo"
    if not path.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        say(f"making {path} with random weights, calibrated to the pace of speech")
        _tool("make-nemo", "--preset", preset, str(path))
    return path


def _entrants(
    names: list[str], nemo_file: Path, folder: Path, environments: Path, say: Any
) -> tuple[list[Entrant], dict[str, str]]:
    """Who can take part, and why the others cannot."""
    entrants, skipped = [], {}
    for name in names:
        environment = ENVIRONMENTS[name]
        python = environments / environment / "bin" / "python" if environment else Path(sys.executable)
        if not python.exists():
            skipped[name] = f"{python} is not there; `scripts/setup-peers {environment}` installs it"
            continue
        model = nemo_file
        if name == f"{OURS}:ort":
            model = folder / nemo_file.stem
            if not (model / "model.json").is_file():
                say(f"exporting {nemo_file} for ONNX Runtime")
                _tool("export", str(nemo_file), str(model))
        entrants.append(Entrant(name, python, model, with_runtime=name.startswith(OURS)))
    return entrants, skipped


def _tool(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "parakeet_asr_tools", *arguments], check=True)
