"""From a NeMo configuration to the runtime's contract."""

from __future__ import annotations

from parakeet_asr.core.model_spec import (
    FORMAT_VERSION,
    DecoderSpec,
    EncoderSpec,
    FeatureSpec,
    FileSpec,
    GraphSpec,
    ModelSpec,
    SourceSpec,
)
from parakeet_asr.nemo.config import TransducerConfig
from parakeet_asr.nemo.streaming import streaming_spec

TOKENIZER_FILE = "tokenizer.model"


def contract(
    config: TransducerConfig,
    *,
    name: str,
    language: str = "und",
    licence: str = "",
    source: SourceSpec | None = None,
    graphs: dict[str, GraphSpec] | None = None,
    files: dict[str, FileSpec] | None = None,
) -> ModelSpec:
    """What ``model.json`` says about a model of this configuration.

    Raises:
        ArchiveError: its encoder is neither full-context nor cache-aware.
    """
    encoder = config.encoder
    return ModelSpec(
        format_version=FORMAT_VERSION,
        name=name,
        language=language,
        licence=licence,
        source=source or SourceSpec(file="", sha256="", exporter="", nemo_version=config.nemo_version),
        features=FeatureSpec("nemo", config.preprocessor.mels, config.preprocessor.normalize),
        encoder=EncoderSpec(
            layers=encoder.layers,
            d_model=encoder.d_model,
            subsampling_factor=encoder.subsampling_factor,
            max_steps=encoder.position_table_steps,
            streaming=streaming_spec(encoder),
        ),
        decoder=DecoderSpec(
            kind=config.kind,
            vocabulary_size=config.vocabulary_size,
            blank_id=config.vocabulary_size,
            durations=config.durations,
            max_symbols_per_step=config.max_symbols_per_step,
            predictor_layers=config.predictor.layers,
            predictor_hidden=config.predictor.hidden,
            joint_hidden=config.joint.hidden,
        ),
        tokenizer=TOKENIZER_FILE,
        graphs=graphs or {},
        files=files or {},
    )
