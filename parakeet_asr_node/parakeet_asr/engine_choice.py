"""Which engine runs a model, and one function per engine that opens it."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from parakeet_asr.core.choices import (
    DEVICES,
    ENGINES,
    FALLBACKS,
    PRECISIONS,
    DeviceName,
    EngineName,
    FallbackName,
    PrecisionName,
)
from parakeet_asr.core.engine import Engine
from parakeet_asr.core.recognizer import BatchOptions
from parakeet_asr.core.split_graphs import is_split
from parakeet_asr.core.tokenizer import Tokenizer
from parakeet_asr.engines.trt.limits import machine_limits
from parakeet_asr.engines.trt.plan_files import built_limits
from parakeet_asr.errors import ConfigurationError, EngineError, ModelNotFoundError
from parakeet_asr.model_directory import is_archive, read_model_directory, resolve_model

_LARGE_MEMORY_BYTES = 24 << 30  # of a device from which on the following is no question
_LARGE_BATCHES = BatchOptions(32, 96_000)  # 960 s of audio, padding included


@dataclass(frozen=True, slots=True)
class EngineRequest:
    """What :func:`parakeet_asr.loader.load_model` was asked for."""

    model: str | os.PathLike[str]  # a .nemo file, a model directory, or the name of one
    device: DeviceName = "auto"
    threads: int | None = None  # for one operator; None: every core
    verify: bool = True  # check every file's sha256, too
    precision: PrecisionName = "auto"
    compiled: bool = False  # torch.compile
    fallback: FallbackName = "cpu"  # where engine trt cannot be used: ONNX Runtime on the CPU, or an error
    rebuild: bool = False  # engine trt: build plans that are missing or do not fit, which takes minutes

    def directory(self) -> Path:
        """The model directory that is meant.

        Raises:
            ConfigurationError: it is a ``.nemo`` file, which only engine torch runs.
            ModelNotFoundError: there is none.
        """
        if is_archive(self.model):
            raise ConfigurationError(
                f"{os.fspath(self.model)!r}: expected a model directory for this engine; make one with "
                "'parakeet-asr-tools export', or use engine 'torch'"
            )
        return resolve_model(self.model)


@dataclass(frozen=True, slots=True)
class OpenedEngine:
    """An engine that is ready, what its tokens mean, and where it came from."""

    engine: Engine
    tokenizer: Tokenizer
    path: Path  # the model directory, or the .nemo file
    batching: BatchOptions | None = None  # None: the recognizer's own
    longest_s: float | None = None  # of audio that goes through the encoder in one piece; None: any
    note: str = ""  # why it is another engine than the one that was asked for


def open_engine(name: EngineName, request: EngineRequest) -> OpenedEngine:
    """Open ``request.model`` with the engine of that name.

    Raises:
        ConfigurationError: an argument is not one of those offered, or the engine cannot run such a model.
        ModelError: the model is not there, was altered or contradicts itself.
        EngineError: the engine cannot be created.
    """
    if name not in ENGINES:
        raise ConfigurationError(f"engine: expected one of {', '.join(ENGINES)}, got {name!r}")
    if request.device not in DEVICES:
        raise ConfigurationError(f"device: expected one of {', '.join(DEVICES)}, got {request.device!r}")
    if request.precision not in PRECISIONS:
        raise ConfigurationError(
            f"precision: expected one of {', '.join(PRECISIONS)}, got {request.precision!r}"
        )
    if request.fallback not in FALLBACKS:
        raise ConfigurationError(
            f"fallback: expected one of {', '.join(FALLBACKS)}, got {request.fallback!r}"
        )
    if request.threads is not None and request.threads < 1:
        raise ConfigurationError(f"threads: expected 1 or more, got {request.threads}")
    if name == "auto":
        name = automatic_engine(request)
    if name != "torch" and (request.precision != "auto" or request.compiled):
        raise ConfigurationError(
            f"engine {name!r}: its graphs have a precision already; only engine 'torch' can choose or compile"
        )
    return _OPEN[name](request)


def automatic_engine(request: EngineRequest) -> EngineName:
    """``torch`` for a ``.nemo`` file; ``trt`` for a directory that has its engines; else ``ort``."""
    if is_archive(request.model):
        return "torch"
    return "trt" if request.device != "cpu" and _has_plans(request) else "ort"


def _has_plans(request: EngineRequest) -> bool:
    """Whether ``parakeet-asr-tools build`` was here; nothing of TensorRT is imported."""
    try:
        return built_limits(request.directory()) is not None
    except ModelNotFoundError:
        return False


def _open_ort(request: EngineRequest) -> OpenedEngine:
    from parakeet_asr.engines.ort import OrtEngine
    from parakeet_asr.tokenization import SentencePieceTokenizer

    directory = request.directory()
    spec = read_model_directory(directory, verify=request.verify)
    tokenizer = SentencePieceTokenizer(directory / spec.tokenizer, spec.decoder.vocabulary_size)
    device = "cpu" if request.device == "auto" else request.device
    engine = OrtEngine(directory, spec, threads=request.threads or 0, device=device)
    return OpenedEngine(engine, tokenizer, directory)


def _open_trt(request: EngineRequest) -> OpenedEngine:
    from parakeet_asr.engines.trt.opening import open_trt, stored_clips
    from parakeet_asr.tokenization import SentencePieceTokenizer

    if request.device == "cpu":
        raise ConfigurationError("engine 'trt': expected device 'auto' or 'cuda', got 'cpu'")
    directory = request.directory()
    spec = read_model_directory(directory, verify=request.verify)
    if is_split(spec):
        raise ConfigurationError(
            f"{directory}: engine 'trt' expects a graph decoder_step, this is a GenAI bundle; export it "
            "without --format genai, or use engine 'ort'"
        )
    limits = built_limits(directory) or machine_limits()
    try:
        engine = open_trt(directory, spec, limits, rebuild=request.rebuild, clips=stored_clips())
    except EngineError as error:
        if request.fallback == "error":
            raise
        opened = _open_ort(replace(request, device="cpu", verify=False))  # verified above
        return replace(opened, note=f"on the CPU, because TensorRT cannot be used: {error}")
    tokenizer = SentencePieceTokenizer(directory / spec.tokenizer, spec.decoder.vocabulary_size)
    return OpenedEngine(engine, tokenizer, directory, longest_s=limits.max_utterance_s)


def _open_torch(request: EngineRequest) -> OpenedEngine:
    path = Path(request.model).expanduser()
    if not is_archive(path):
        raise ConfigurationError(
            f"{os.fspath(request.model)!r}: engine 'torch' runs a .nemo file; for a model directory use 'ort'"
        )
    try:
        from parakeet_asr.engines.pytorch.loading import load_archive
    except ImportError as error:
        raise EngineError(
            f"engine 'torch' needs PyTorch and PyYAML ({error}): pip install 'parakeet_asr[torch]'"
        ) from error
    from parakeet_asr.tokenization import SentencePieceTokenizer

    loaded = load_archive(path, request.device, request.precision, request.threads, compiled=request.compiled)
    size = loaded.engine.spec.decoder.vocabulary_size
    tokenizer = SentencePieceTokenizer(path, size, loaded.tokenizer_model)
    batching = _LARGE_BATCHES if loaded.engine.device_memory_bytes >= _LARGE_MEMORY_BYTES else None
    return OpenedEngine(loaded.engine, tokenizer, path, batching)


_OPEN: dict[str, Callable[[EngineRequest], OpenedEngine]] = {
    "ort": _open_ort,
    "trt": _open_trt,
    "torch": _open_torch,
}
