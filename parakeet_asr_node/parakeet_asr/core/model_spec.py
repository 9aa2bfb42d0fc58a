"""The contract of a model: what ``model.json`` says, checked against itself.

Reading the file, its hashes and the graphs is the edge's business
(:mod:`parakeet_asr.model_directory` and the engines); this module only knows what must hold.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal

from parakeet_asr.core.reading import read_object
from parakeet_asr.errors import ModelContractError

FORMAT_VERSION = 1

Dimension = int | str  # a number, or the name of a dynamic axis


@dataclass(frozen=True, slots=True)
class FeatureSpec:
    """Which log-mel recipe the model was trained with (see core.features)."""

    recipe: Literal["nemo", "rust"]
    mels: int
    normalize: Literal["per_feature", "none"]


@dataclass(frozen=True, slots=True)
class StreamingSpec:
    """How the encoder may be fed; every number but ``kind`` is 0 for an offline model."""

    kind: Literal["offline", "cache_aware"]
    left_context_steps: int = 0  # attention cache
    right_context_steps: int = 0
    convolution_cache_steps: int = 0
    first_chunk_frames: int = 0
    chunk_frames: int = 0
    pre_encode_cache_frames: int = 0
    drop_extra_pre_encoded_steps: int = 0
    valid_out_steps: int = 0


@dataclass(frozen=True, slots=True)
class EncoderSpec:
    """Shape of the FastConformer."""

    layers: int
    d_model: int
    subsampling_factor: int  # frames per step
    max_steps: int  # length of the position table
    streaming: StreamingSpec


@dataclass(frozen=True, slots=True)
class DecoderSpec:
    """Shape of the predictor and the joint network."""

    kind: Literal["tdt", "rnnt"]
    vocabulary_size: int  # pieces, without blank
    blank_id: int
    durations: tuple[int, ...]  # steps; empty for rnnt
    max_symbols_per_step: int
    predictor_layers: int
    predictor_hidden: int
    joint_hidden: int

    @property
    def logits_size(self) -> int:
        """Width of the joint's output: pieces, blank, durations (the last ones)."""
        return self.vocabulary_size + 1 + len(self.durations)


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """Element type (numpy's name) and shape of a graph's input or output."""

    dtype: str
    shape: tuple[Dimension, ...]

    def accepts(self, dtype: str, shape: tuple[Dimension, ...]) -> bool:
        """Whether a graph's tensor fits: same type and rank, same number wherever both are fixed."""
        return (
            dtype == self.dtype
            and len(shape) == len(self.shape)
            and all(
                mine == other
                for mine, other in zip(self.shape, shape, strict=True)
                if isinstance(mine, int) and isinstance(other, int)
            )
        )


@dataclass(frozen=True, slots=True)
class GraphSpec:
    """One ONNX graph and its tensors by name."""

    file: str
    inputs: dict[str, TensorSpec]
    outputs: dict[str, TensorSpec]


@dataclass(frozen=True, slots=True)
class FileSpec:
    """What a file of the model must be, to the bit."""

    sha256: str
    bytes: int


@dataclass(frozen=True, slots=True)
class SourceSpec:
    """Where the model came from."""

    file: str
    sha256: str
    exporter: str
    nemo_version: str = ""


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """All of ``model.json``."""

    format_version: int
    name: str
    language: str
    licence: str
    source: SourceSpec
    features: FeatureSpec
    encoder: EncoderSpec
    decoder: DecoderSpec
    tokenizer: str  # file name of the SentencePiece model
    graphs: dict[str, GraphSpec]  # encoder, decoder_step; predictor and joint for other runtimes
    files: dict[str, FileSpec] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The object that ``model.json`` holds."""
        return asdict(self)


REQUIRED_GRAPHS = ("encoder", "decoder_step")


def parse_model_spec(data: object) -> ModelSpec:
    """Read the object of ``model.json`` and check it against itself.

    Raises:
        ModelContractError: naming the field, what was expected and what came.
    """
    if isinstance(data, Mapping) and data.get("format_version") != FORMAT_VERSION:
        raise ModelContractError(
            f"model.json: format_version is {data.get('format_version')!r}, this release reads "
            f"{FORMAT_VERSION}; export the model again with this release's parakeet-asr-tools"
        )
    spec = read_object(ModelSpec, data, "model.json")
    _check_decoder(spec.decoder)
    _check_streaming(spec.encoder.streaming)
    _check_files(spec)
    return spec


def _fail(where: str, expected: str, came: object) -> ModelContractError:
    return ModelContractError(
        f"model.json: {where}: expected {expected}, found {came!r}; export the model again"
    )


def _check_decoder(decoder: DecoderSpec) -> None:
    if decoder.blank_id != decoder.vocabulary_size:
        raise _fail("decoder.blank_id", f"{decoder.vocabulary_size} (vocabulary_size)", decoder.blank_id)
    if decoder.kind == "tdt" and (not decoder.durations or min(decoder.durations) < 0):
        raise _fail("decoder.durations", "one or more steps >= 0 for a tdt decoder", decoder.durations)
    if decoder.kind == "tdt" and max(decoder.durations) == 0:
        raise _fail("decoder.durations", "at least one above 0", decoder.durations)
    if decoder.kind == "rnnt" and decoder.durations:
        raise _fail("decoder.durations", "none for an rnnt decoder", decoder.durations)
    for name in ("max_symbols_per_step", "predictor_layers", "predictor_hidden", "joint_hidden"):
        if getattr(decoder, name) < 1:
            raise _fail(f"decoder.{name}", "at least 1", getattr(decoder, name))


def _check_streaming(streaming: StreamingSpec) -> None:
    numbers = {f.name: getattr(streaming, f.name) for f in fields(streaming) if f.name != "kind"}
    if streaming.kind == "offline" and any(numbers.values()):
        raise _fail("encoder.streaming", "no cache numbers for an offline model", numbers)
    if streaming.kind == "cache_aware" and min(streaming.chunk_frames, streaming.valid_out_steps) < 1:
        raise _fail("encoder.streaming", "chunk_frames and valid_out_steps above 0", numbers)


def _check_files(spec: ModelSpec) -> None:
    for name in REQUIRED_GRAPHS:
        if name not in spec.graphs:
            raise _fail("graphs", f"a graph named {name!r}", sorted(spec.graphs))
    for file in (spec.tokenizer, *(graph.file for graph in spec.graphs.values())):
        if file not in spec.files:
            raise _fail("files", f"a sha256 for {file!r}", sorted(spec.files))
    for file in spec.files:
        if "/" in file or "\\" in file or file in ("", ".", ".."):
            raise _fail("files", "plain file names inside the model directory", file)
