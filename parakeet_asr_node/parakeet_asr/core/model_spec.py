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
    """How the encoder may be fed; every number is 0 for an offline model.

    The numbers of a cache-aware model are those of NeMo's ``setup_streaming_params``; all of them follow from
    the two contexts, the kernel and the subsampling factor (:func:`cache_aware_streaming`).
    """

    kind: Literal["offline", "cache_aware"]
    left_context_steps: int = 0  # attention cache
    right_context_steps: int = 0  # in the graph: a chunk of another size would silently lose audio
    convolution_cache_steps: int = 0
    first_chunk_frames: int = 0  # new frames of the first chunk
    chunk_frames: int = 0  # new frames of every chunk behind it
    pre_encode_cache_frames: int = 0  # frames before a chunk that the subsampling reads again
    drop_extra_pre_encoded_steps: int = 0  # what becomes of them, and is dropped
    valid_out_steps: int = 0  # steps that come out of a chunk

    @property
    def window_frames(self) -> int:
        """Columns of every input of the streaming graph: the frames before the chunk, and the chunk."""
        return self.pre_encode_cache_frames + self.chunk_frames


def cache_aware_streaming(
    left_context_steps: int, right_context_steps: int, convolution_cache_steps: int, subsampling_factor: int
) -> StreamingSpec:
    """The contract of a causal model with ``chunked_limited`` attention.

    A causal step s reads the frames up to ``factor * s``. So the first chunk of right + 1 steps needs
    ``1 + factor * right`` frames, every further one ``factor * (right + 1)``, and a step reads less than
    two steps back.
    """
    return StreamingSpec(
        kind="cache_aware",
        left_context_steps=left_context_steps,
        right_context_steps=right_context_steps,
        convolution_cache_steps=convolution_cache_steps,
        first_chunk_frames=1 + subsampling_factor * right_context_steps,
        chunk_frames=subsampling_factor * (1 + right_context_steps),
        pre_encode_cache_frames=subsampling_factor + 1,
        drop_extra_pre_encoded_steps=2,
        valid_out_steps=right_context_steps + 1,
    )


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
    graphs: dict[str, GraphSpec]  # encoder, decoder_step, encoder_stream; others for other runtimes
    files: dict[str, FileSpec] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The object that ``model.json`` holds."""
        return asdict(self)


REQUIRED_GRAPHS = ("encoder", "decoder_step")
STREAMING_GRAPH = "encoder_stream"  # of a cache-aware model


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
    _check_streaming(spec.encoder)
    _check_files(spec)
    if spec.encoder.streaming.kind == "cache_aware":
        _check_cache_aware(spec)
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


def _check_streaming(encoder: EncoderSpec) -> None:
    streaming, where = encoder.streaming, "encoder.streaming"
    numbers = {f.name: getattr(streaming, f.name) for f in fields(streaming) if f.name != "kind"}
    if streaming.kind == "offline":
        if any(numbers.values()):
            raise _fail(where, "no cache numbers for an offline model", numbers)
        return
    left, right = streaming.left_context_steps, streaming.right_context_steps
    if right < 0 or streaming.convolution_cache_steps < 1:
        raise _fail(where, "right_context_steps >= 0 and convolution_cache_steps > 0", numbers)
    if left < 1 or left % (right + 1):
        raise _fail(
            f"{where}.left_context_steps", f"a multiple of right_context_steps + 1 ({right + 1})", left
        )
    expected = cache_aware_streaming(
        left, right, streaming.convolution_cache_steps, encoder.subsampling_factor
    )
    for name, came in numbers.items():
        if came != getattr(expected, name):
            raise _fail(f"{where}.{name}", f"{getattr(expected, name)} for these contexts", came)


def _check_cache_aware(spec: ModelSpec) -> None:
    if spec.features.normalize != "none":
        raise _fail("features.normalize", "'none' for a cache_aware model", spec.features.normalize)
    graph, expected = spec.graphs[STREAMING_GRAPH], streaming_graph(spec)
    for role, found, wanted in (
        ("inputs", graph.inputs, expected.inputs),
        ("outputs", graph.outputs, expected.outputs),
    ):
        where = f"graphs.{STREAMING_GRAPH}.{role}"
        if set(found) != set(wanted):
            raise _fail(where, str(sorted(wanted)), sorted(found))
        for name, tensor in wanted.items():
            if found[name] != tensor:
                raise _fail(f"{where}.{name}", f"{tensor.dtype}{list(tensor.shape)}", found[name])


def streaming_graph(spec: ModelSpec) -> GraphSpec:
    """The tensors of a cache-aware model's streaming graph, with NeMo's names and layouts.

    ``encoded_projected`` is ours: the outputs through the joint network's encoder projection.
    """
    encoder, streaming = spec.encoder, spec.encoder.streaming
    batch = TensorSpec("int64", ("batch",))

    def floats(*shape: int) -> TensorSpec:
        return TensorSpec("float32", ("batch", *shape))

    channel = floats(encoder.layers, streaming.left_context_steps, encoder.d_model)
    time = floats(encoder.layers, encoder.d_model, streaming.convolution_cache_steps)
    return GraphSpec(
        file=f"{STREAMING_GRAPH}.onnx",
        inputs={
            "audio_signal": floats(spec.features.mels, streaming.window_frames),
            "length": batch,
            "cache_last_channel": channel,
            "cache_last_time": time,
            "cache_last_channel_len": batch,
        },
        outputs={
            "outputs": floats(encoder.d_model, streaming.valid_out_steps),
            "encoded_lengths": batch,
            "cache_last_channel_next": channel,
            "cache_last_time_next": time,
            "cache_last_channel_next_len": batch,
            "encoded_projected": floats(streaming.valid_out_steps, spec.decoder.joint_hidden),
        },
    )


def _check_files(spec: ModelSpec) -> None:
    streams = spec.encoder.streaming.kind == "cache_aware"
    for name in (*REQUIRED_GRAPHS, STREAMING_GRAPH) if streams else REQUIRED_GRAPHS:
        if name not in spec.graphs:
            raise _fail("graphs", f"a graph named {name!r}", sorted(spec.graphs))
    for file in (spec.tokenizer, *(graph.file for graph in spec.graphs.values())):
        if file not in spec.files:
            raise _fail("files", f"a sha256 for {file!r}", sorted(spec.files))
    for file in spec.files:
        if "/" in file or "\\" in file or file in ("", ".", ".."):
            raise _fail("files", "plain file names inside the model directory", file)
