"""``parakeet-asr-tools gpu-precision``: the FP16 graphs beside the FP32 ones, on a CUDA device."""

from __future__ import annotations

import argparse
import datetime
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from parakeet_asr.errors import EngineError
from parakeet_asr.records import FloatArray

WINDOWS_S = (2.0, 12.0, 40.0)
"""A first window; the robot profile's steady one (10 + 0.64 + 1.36 s); the longest single pass."""

_STEP_WINDOW = 8  # encoder steps that one decoder step joins, batch 1
BEGIN, END = "<!-- precision: begin -->", "<!-- precision: end -->"
DOCS = Path("docs/gpu.md")


@dataclass(frozen=True, slots=True)
class Row:
    """FP32 and FP16 of one graph at one size."""

    model: str
    graph: str  # encoder 12 s, decoder step
    median_ms: tuple[float, float]
    best_ms: tuple[float, float]
    cosine: float
    max_error: float  # largest difference
    scale: float  # root mean square of the FP32 output, to hold the error against


@dataclass(frozen=True, slots=True)
class ModelRow:
    """FP32 and FP16 of a whole model."""

    model: str
    loaded_mb: tuple[float, float]  # both graphs, before a run
    peak_mb: tuple[float, float]  # after the longest window
    utterances: int
    tokens: int
    same_utterances: int
    token_errors: int


def add_parser(commands: Any) -> None:
    """Declare the command."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "gpu-precision",
        help="FP16 graphs beside FP32 ones on a CUDA device: numbers, latency, memory",
        description="Needs PyTorch with CUDA and onnxruntime-gpu. A MODEL_DIR-fp16 that is not there is "
        "made by convert-precision first.",
    )
    parser.add_argument("model_dirs", type=Path, nargs="+", metavar="MODEL_DIR", help="float32")
    parser.add_argument("--speech", type=Path, default=Path("examples/samples"), help="with manifest.jsonl")
    parser.add_argument("--limit-s", type=float, default=300.0)
    parser.add_argument("--output", type=Path, default=Path("out/gpu-precision.json"))
    parser.add_argument("--docs", action="store_true", help=f"write the tables to {DOCS}, too")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    """Measure, print and write.

    Raises:
        EngineError: there is no CUDA device.
    """
    import torch

    if not torch.cuda.is_available():
        raise EngineError(f"gpu-precision: this PyTorch ({torch.__version__}) sees no CUDA device")
    import onnxruntime

    audio = _speech(arguments.speech, arguments.limit_s)
    rows: list[Row] = []
    models: list[ModelRow] = []
    for directory in arguments.model_dirs:
        pair = (directory, _converted(directory))
        mine, whole = measure_pair(directory.name, pair, audio)
        rows += mine
        models.append(whole)
    head = (
        f"{datetime.datetime.now(datetime.timezone.utc):%Y-%m-%d}, {torch.cuda.get_device_name()}, "
        f"onnxruntime {onnxruntime.__version__}, CUDA provider, CUDA {torch.version.cuda}."
    )
    text = "\n".join([head, "", *_tables(rows, models)])
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    kept = {"head": head, "rows": [asdict(r) for r in rows], "models": [asdict(m) for m in models]}
    arguments.output.write_text(json.dumps(kept, indent=1), encoding="utf-8")
    print(text)
    if arguments.docs:
        before, _, rest = DOCS.read_text(encoding="utf-8").partition(BEGIN)
        after = rest.partition(END)[2]
        DOCS.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{after}", encoding="utf-8")


def measure_pair(
    name: str, pair: tuple[Path, Path], audio: Sequence[FloatArray]
) -> tuple[list[Row], ModelRow]:
    """Graph by graph at every size, then whole utterances."""
    import torch

    from parakeet_asr.core.features import FeatureExtractor
    from parakeet_asr.model_directory import read_model_directory
    from parakeet_asr_tools.benchmark.gpu_graphs import memory_used_bytes

    specs = [read_model_directory(directory, verify=False) for directory in pair]
    extractor = FeatureExtractor(specs[0].features)
    measured: list[list[tuple[str, Any, Any]]] = []
    loaded, peak = [], []
    for directory, spec in zip(pair, specs, strict=True):
        torch.cuda.empty_cache()
        before = memory_used_bytes()
        graphs = _Graphs(directory, spec)
        loaded.append((memory_used_bytes() - before) / 1e6)
        measured.append(list(graphs.measure(extractor, audio)))
        peak.append((memory_used_bytes() - before) / 1e6)
        del graphs
    rows = [
        _row(name, title, (first, second), (a, b))
        for (title, first, a), (_, second, b) in zip(*measured, strict=True)
    ]
    tokens = [_tokens(directory, spec, audio) for directory, spec in zip(pair, specs, strict=True)]
    from parakeet_asr_tools.benchmark.accuracy import agreement

    same = agreement(*tokens)
    whole = ModelRow(
        name,
        (loaded[0], loaded[1]),
        (peak[0], peak[1]),
        same.utterances,
        same.reference_tokens,
        same.equal_utterances,
        same.token_errors,
    )
    return rows, whole


class _Graphs:
    """Encoder and decoder step of one model directory on the device."""

    def __init__(self, directory: Path, spec: Any) -> None:
        import torch

        from parakeet_asr_tools.benchmark.gpu_graphs import CudaGraphSession

        self._spec = spec
        make_stream: Any = torch.cuda.Stream
        stream = make_stream()
        self._encoder = CudaGraphSession(directory / spec.graphs["encoder"].file, stream)
        self._step = CudaGraphSession(directory / spec.graphs["decoder_step"].file, stream)

    def measure(self, extractor: Any, audio: Sequence[FloatArray]) -> Iterator[tuple[str, Any, Any]]:
        """Title, timing and output of every size; the same inputs for every precision."""
        import numpy as np
        import torch

        sound = np.concatenate(list(audio))
        spec = self._spec.decoder
        for seconds in WINDOWS_S:
            samples = np.resize(sound, int(seconds * 16_000))
            features = torch.from_numpy(extractor.extract(samples)[None]).cuda()
            length = torch.tensor([features.shape[2]], device="cuda")
            feeds, outputs = {"audio_signal": features, "length": length}, ["encoded_projected"]
            yield (
                f"encoder, {seconds:g} s",
                self._encoder.time(feeds, outputs),
                self._encoder.run(feeds, outputs)[0],
            )
        generator = np.random.default_rng(0)

        def random(*shape: int) -> Any:
            return torch.from_numpy(generator.standard_normal(shape).astype(np.float32)).cuda()

        state = (spec.predictor_layers, 1, spec.predictor_hidden)
        feeds = {
            "encoded_projected": random(1, _STEP_WINDOW, spec.joint_hidden),
            "token": torch.tensor([1], device="cuda"),
            "hidden_in": 0.3 * random(*state),
            "cell_in": 0.3 * random(*state),
        }
        outputs = ["logits", "hidden_out", "cell_out"]
        yield "decoder step", self._step.time(feeds, outputs), self._step.run(feeds, outputs)[0]


def _row(name: str, graph: str, timings: tuple[Any, Any], outputs: tuple[Any, Any]) -> Row:
    import numpy as np

    first, second = (output.astype(np.float64).ravel() for output in outputs)
    norm = float(np.linalg.norm(first) * np.linalg.norm(second))
    return Row(
        model=name,
        graph=graph,
        median_ms=(timings[0].median_ms, timings[1].median_ms),
        best_ms=(timings[0].best_ms, timings[1].best_ms),
        cosine=float(first @ second) / norm,
        max_error=float(np.abs(first - second).max()),
        scale=float(np.sqrt(np.mean(first**2))),
    )


def _tokens(directory: Path, spec: Any, audio: Sequence[FloatArray]) -> list[list[int]]:
    """Token ids of every utterance through engine ort on the device."""
    import numpy as np

    from parakeet_asr.core.decoding import GreedyDecoder
    from parakeet_asr.core.features import FeatureExtractor
    from parakeet_asr.engines.ort import OrtEngine

    engine, extractor = OrtEngine(directory, spec, device="cuda"), FeatureExtractor(spec.features)
    decoder, ids = GreedyDecoder(engine), []
    for samples in audio:
        features = extractor.extract(samples)[None]
        encoded = engine.encode(features, np.array([features.shape[2]], np.int64))
        ids.append([token.id for token in decoder.decode(encoded)[0].tokens])
    engine.close()
    return ids


def _converted(directory: Path) -> Path:
    out = directory.with_name(f"{directory.name}-fp16")
    if not (out / "model.json").is_file():
        from parakeet_asr_tools.precision.directory import convert_directory
        from parakeet_asr_tools.precision.rule import Rule

        convert_directory(directory, out, Rule(low="fp16"), lambda _: None)
    return out


def _speech(folder: Path, limit_s: float) -> list[FloatArray]:
    import tempfile

    import numpy as np

    from parakeet_asr_tools.benchmark.corpus import write_corpus

    with tempfile.TemporaryDirectory() as scratch:
        corpus = write_corpus(folder, Path(scratch, "pool.f32"), limit_s)
        pool = np.fromfile(corpus.pool, np.float32)
    return [pool[clip.offset_samples : clip.offset_samples + clip.samples] for clip in corpus.clips]


def _tables(rows: Sequence[Row], models: Sequence[ModelRow]) -> Iterator[str]:
    yield "| Model, graph | FP32, ms | FP16, ms | cosine | largest error | rms of the output |"
    yield "|---|---|---|---|---|---|"
    for row in rows:
        times = " | ".join(f"{m:.2f} ({b:.2f})" for m, b in zip(row.median_ms, row.best_ms, strict=True))
        numbers = f"{row.cosine:.7f} | {row.max_error:.4f} | {row.scale:.3f}"
        yield f"| {row.model}, {row.graph} | {times} | {numbers} |"
    yield ""
    yield "| Model | loaded, MB FP32 / FP16 | peak, MB FP32 / FP16 | utterances the same | token errors |"
    yield "|---|---|---|---|---|"
    for one in models:
        loaded = " / ".join(f"{mb:.0f}" for mb in one.loaded_mb)
        peak = " / ".join(f"{mb:.0f}" for mb in one.peak_mb)
        same = f"{one.same_utterances} of {one.utterances}"
        yield f"| {one.model} | {loaded} | {peak} | {same} | {one.token_errors} of {one.tokens} |"
