"""The contract of a model: what ``model.json`` says. What must hold is :mod:`.model_contract`'s business."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

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
    # encoder with decoder_step, or with decoder and joint (core.split_graphs); encoder_stream; and more
    graphs: dict[str, GraphSpec]
    files: dict[str, FileSpec] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The object that ``model.json`` holds."""
        return asdict(self)


REQUIRED_GRAPHS = ("encoder", "decoder_step")
STREAMING_GRAPH = "encoder_stream"  # of a cache-aware model


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
