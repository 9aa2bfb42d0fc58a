"""What NeMo's ``model_config.yaml`` says about a FastConformer transducer, as frozen records.

Only what changes the numbers is kept. Everything that this release cannot build is refused by its
configuration name, never ignored.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from parakeet_asr.errors import ArchiveError

T = TypeVar("T")
ConvNorm = Literal["batch_norm", "layer_norm"]


@dataclass(frozen=True, slots=True)
class PreprocessorConfig:
    """The feature recipe."""

    mels: int
    normalize: Literal["per_feature", "none"]


@dataclass(frozen=True, slots=True)
class EncoderConfig:
    """The FastConformer."""

    mels: int
    layers: int
    d_model: int
    heads: int
    feed_forward_expansion: int
    subsampling_factor: int  # frames per step
    subsampling_channels: int
    causal_downsampling: bool
    use_bias: bool
    xscaling: bool
    attention_contexts_steps: tuple[tuple[int, int], ...]  # left, right; -1 is everything; the first is used
    attention_style: str  # regular | chunked_limited
    position_table_steps: int
    conv_kernel_steps: int
    conv_context_steps: tuple[int, int]  # left, right
    conv_norm: ConvNorm

    @property
    def attention_context_steps(self) -> tuple[int, int]:
        """Steps to the left and right that attention sees; -1 is everything."""
        return self.attention_contexts_steps[0]

    @property
    def head_size(self) -> int:
        """Width of one attention head."""
        return self.d_model // self.heads

    @property
    def subsampling_stages(self) -> int:
        """How many times the convolutions halve the time axis."""
        return self.subsampling_factor.bit_length() - 1


@dataclass(frozen=True, slots=True)
class PredictorConfig:
    """Embedding and LSTM."""

    hidden: int
    layers: int


@dataclass(frozen=True, slots=True)
class JointConfig:
    """The joint network; ``output_index`` is the place of its last layer in NeMo's Sequential."""

    hidden: int
    activation: str
    output_index: int


@dataclass(frozen=True, slots=True)
class TransducerConfig:
    """A whole model."""

    kind: Literal["tdt", "rnnt"]
    preprocessor: PreprocessorConfig
    encoder: EncoderConfig
    predictor: PredictorConfig
    joint: JointConfig
    vocabulary_size: int  # pieces, without blank
    durations: tuple[int, ...]  # steps; empty for rnnt
    max_symbols_per_step: int
    tokenizer_reference: str  # nemo:<member>
    nemo_version: str

    @property
    def logits_size(self) -> int:
        """Width of the joint's output."""
        return self.vocabulary_size + 1 + len(self.durations)


def parse_config(config: Mapping[str, Any]) -> TransducerConfig:
    """Understand ``model_config.yaml``.

    Raises:
        ArchiveError: a field is missing or of the wrong kind, or asks for something unsupported.
    """
    root = _Section("", config)
    decoding, joint = root.section("decoding"), root.section("joint")
    durations = _durations(root, joint)
    vocabulary_size = joint.get("num_classes", int)
    decoder = root.section("decoder")
    decoder.require("vocab_size", vocabulary_size)
    greedy = decoding.section("greedy", optional=True)
    return TransducerConfig(
        kind="tdt" if durations else "rnnt",
        preprocessor=_preprocessor(root.section("preprocessor")),
        encoder=_encoder(root.section("encoder")),
        predictor=_predictor(decoder),
        joint=_joint(joint, root),
        vocabulary_size=vocabulary_size,
        durations=durations,
        max_symbols_per_step=greedy.get("max_symbols", int, greedy.get("max_symbols_per_step", int, 10)),
        tokenizer_reference=_tokenizer(root.section("tokenizer")),
        nemo_version=str(config.get("nemo_version", "")),
    )


class _Section:
    """A mapping of the configuration that knows its own name."""

    def __init__(self, name: str, data: Mapping[str, Any]) -> None:
        self.name = name
        self._data = data

    def path(self, key: str) -> str:
        return f"{self.name}.{key}" if self.name else key

    def section(self, key: str, *, optional: bool = False) -> _Section:
        value = self._data.get(key)
        if value is None and optional:
            return _Section(self.path(key), {})
        if not isinstance(value, Mapping):
            raise ArchiveError(f"model_config.yaml: {self.path(key)}: expected a mapping, found {value!r}")
        return _Section(self.path(key), value)

    def raw(self, key: str) -> Any:
        return self._data.get(key)

    def get(self, key: str, kind: type[T], default: T | None = None) -> T:
        value = self._data.get(key)
        if value is None and default is not None:
            return default
        if kind is float and type(value) is int:
            return kind(value)  # type: ignore[call-arg]  # float(int)
        if type(value) is not kind:
            raise ArchiveError(
                f"model_config.yaml: {self.path(key)}: expected {kind.__name__}, found {value!r}"
            )
        return value

    def require(self, key: str, *accepted: object, default: object = None) -> None:
        """Refuse a setting whose value this release does not implement."""
        value = self._data.get(key, default)
        if value not in accepted:
            raise _unsupported(self.path(key), value, " or ".join(repr(item) for item in accepted))


def _unsupported(name: str, came: object, expected: str) -> ArchiveError:
    return ArchiveError(f"model_config.yaml: {name}: {came!r} is not supported, expected {expected}")


def _preprocessor(section: _Section) -> PreprocessorConfig:
    section.require("sample_rate", 16000)
    section.require("window_size", 0.025)
    section.require("window_stride", 0.01)
    section.require("window", "hann", default="hann")
    section.require("n_fft", 512)
    section.require("log", True, default=True)
    section.require("frame_splicing", 1, default=1)
    section.require("preemph", 0.97, default=0.97)
    section.require("mag_power", 2.0, default=2.0)
    section.require("lowfreq", 0, default=0)
    section.require("highfreq", None, 8000)
    section.require("mel_norm", "slaney", default="slaney")
    section.require("log_zero_guard_type", "add", default="add")
    section.require("log_zero_guard_value", 2**-24, default=2**-24)
    section.require("exact_pad", False, default=False)
    section.require("normalize", "per_feature", "NA", None, "", "none")
    normalize: Literal["per_feature", "none"] = (
        "per_feature" if section.raw("normalize") == "per_feature" else "none"
    )
    return PreprocessorConfig(mels=section.get("features", int), normalize=normalize)


def _encoder(section: _Section) -> EncoderConfig:
    section.require("feat_out", -1, None, default=-1)
    section.require("subsampling", "dw_striding")
    section.require("self_attention_model", "rel_pos")
    section.require("untie_biases", True, default=True)
    section.require("conv_norm_type", "batch_norm", "layer_norm", default="batch_norm")
    section.require("reduction", None)
    section.require("global_tokens", 0, default=0)
    factor, d_model = section.get("subsampling_factor", int), section.get("d_model", int)
    heads, kernel = section.get("n_heads", int), section.get("conv_kernel_size", int)
    if factor not in (2, 4, 8, 16):
        raise _unsupported(section.path("subsampling_factor"), factor, "2, 4, 8 or 16")
    if heads < 1 or d_model % heads or d_model % 2:
        raise _unsupported(section.path("n_heads"), heads, f"a divisor of the even d_model {d_model}")
    if kernel < 1 or kernel % 2 == 0:
        raise _unsupported(section.path("conv_kernel_size"), kernel, "an odd number")
    channels = section.get("subsampling_conv_channels", int, -1)
    return EncoderConfig(
        mels=section.get("feat_in", int),
        layers=section.get("n_layers", int),
        d_model=d_model,
        heads=heads,
        feed_forward_expansion=section.get("ff_expansion_factor", int, 4),
        subsampling_factor=factor,
        subsampling_channels=d_model if channels == -1 else channels,
        causal_downsampling=section.get("causal_downsampling", bool, False),
        use_bias=section.get("use_bias", bool, True),
        xscaling=section.get("xscaling", bool, True),
        attention_contexts_steps=_attention_contexts(section),
        attention_style=section.get("att_context_style", str, "regular"),
        position_table_steps=section.get("pos_emb_max_len", int, 5000),
        conv_kernel_steps=kernel,
        conv_context_steps=_conv_context(section, kernel),
        conv_norm="layer_norm" if section.raw("conv_norm_type") == "layer_norm" else "batch_norm",
    )


def _attention_contexts(section: _Section) -> tuple[tuple[int, int], ...]:
    """A model may be trained for several; NeMo takes the first unless told otherwise."""
    value, name = section.raw("att_context_size"), section.path("att_context_size")
    if value is None:
        return ((-1, -1),)
    if isinstance(value, list) and value and isinstance(value[0], list):
        return tuple(_pair(name, item) for item in value)
    return (_pair(name, value),)


def _conv_context(section: _Section, kernel: int) -> tuple[int, int]:
    value = section.raw("conv_context_size")
    if value is None:
        return ((kernel - 1) // 2, (kernel - 1) // 2)
    if value == "causal":
        return (kernel - 1, 0)
    return _pair(section.path("conv_context_size"), value)


def _pair(name: str, value: object) -> tuple[int, int]:
    if isinstance(value, list) and len(value) == 2 and all(type(item) is int for item in value):
        return (value[0], value[1])
    raise ArchiveError(f"model_config.yaml: {name}: expected two whole numbers, found {value!r}")


def _predictor(section: _Section) -> PredictorConfig:
    section.require("blank_as_pad", True, default=True)
    section.require("normalization_mode", None)
    network = section.section("prednet")
    return PredictorConfig(
        hidden=network.get("pred_hidden", int), layers=network.get("pred_rnn_layers", int, 1)
    )


def _joint(section: _Section, root: _Section) -> JointConfig:
    network = section.section("jointnet")
    network.require("activation", "relu")
    for key, other, where in (
        ("encoder_hidden", "d_model", "encoder"),
        ("pred_hidden", "pred_hidden", "decoder"),
    ):
        source = root.section(where).section("prednet") if where == "decoder" else root.section(where)
        if network.raw(key) is not None:  # NeMo fills it in when it is missing
            network.require(key, source.get(other, int))
    # NeMo's Sequential is activation, dropout if there is any, output layer
    has_dropout = network.get("dropout", float, 0.0) > 0
    return JointConfig(
        hidden=network.get("joint_hidden", int), activation="relu", output_index=2 if has_dropout else 1
    )


def _durations(root: _Section, joint: _Section) -> tuple[int, ...]:
    extra = joint.get("num_extra_outputs", int, 0)
    value = root.section("decoding").raw("durations")
    if value is None:
        value = root.section("model_defaults", optional=True).raw("tdt_durations") if extra else []
    if not isinstance(value, list) or not all(type(item) is int and item >= 0 for item in value):
        raise ArchiveError(f"model_config.yaml: decoding.durations: expected whole numbers, found {value!r}")
    if len(value) != extra:
        raise ArchiveError(
            f"model_config.yaml: decoding.durations has {len(value)} entries, "
            f"joint.num_extra_outputs is {extra}"
        )
    return tuple(value)


def _tokenizer(section: _Section) -> str:
    section.require("type", "bpe")
    return section.get("model_path", str)
