"""Write a whole model directory from a ``.nemo`` archive."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from parakeet_asr.core.model_contract import parse_model_spec
from parakeet_asr.core.model_spec import (
    STREAMING_GRAPH,
    FileSpec,
    GraphSpec,
    ModelSpec,
    SourceSpec,
)
from parakeet_asr.engines.pytorch.model.transducer import Transducer, load_transducer
from parakeet_asr.errors import ArchiveError
from parakeet_asr.nemo.archive import NemoArchive
from parakeet_asr.nemo.config import TransducerConfig, parse_config
from parakeet_asr.nemo.contract import TOKENIZER_FILE, contract
from parakeet_asr.nemo.streaming import streaming_spec, with_right_context
from parakeet_asr_tools import __version__
from parakeet_asr_tools.onnx_export.builder import ExternalData, GraphBuilder, WeightFormat
from parakeet_asr_tools.onnx_export.card import model_card
from parakeet_asr_tools.onnx_export.decoder_graph import write_decoder_step, write_joint, write_predictor
from parakeet_asr_tools.onnx_export.encoder_graph import write_encoder
from parakeet_asr_tools.onnx_export.encoder_stream_graph import write_encoder_stream
from parakeet_asr_tools.staging import hash_files, staged, write_spec

EXTERNAL_ABOVE_BYTES = 1 << 30  # protobuf ends at 2 GiB; stay well below
CARD_FILE = "README.md"

Progress = Callable[[str], None]
Writer = Callable[[GraphBuilder, Transducer], None]
_LARGE_GRAPHS = ("encoder", STREAMING_GRAPH)  # their weights may lie beside them
_BYTES = {"float32": 4, "float16": 2, "int8": 1}


@dataclass(frozen=True, slots=True)
class Layout:
    """Which graphs a directory has, and what lies beside them."""

    graphs: Mapping[str, Writer]
    check: Callable[[ModelSpec], None] = lambda _: None  # refuses a model before its weights are read
    write_beside: Callable[[ModelSpec, Path], None] = lambda _, __: None  # graphs and tokenizer are there


OURS = Layout(
    {
        "encoder": write_encoder,
        "decoder_step": write_decoder_step,
        "predictor": write_predictor,
        "joint": write_joint,
    }
)
"""What our runtime is fastest with."""


@dataclass(frozen=True, slots=True)
class ExportOptions:
    """What the user may choose."""

    weights: WeightFormat = "float32"
    name: str = ""  # empty: the archive's file name
    language: str = "und"
    licence: str = "see the source model"
    card: str | None = None  # text of the model card; None writes one
    right_context_steps: int | None = None  # of a cache-aware model trained for several; None: its first


def export_model(
    archive: NemoArchive,
    out_dir: Path,
    options: ExportOptions,
    on_progress: Progress = lambda _: None,
    layout: Layout = OURS,
) -> ModelSpec:
    """Write the model directory; files of an earlier export there are replaced once all is written.

    Args:
        archive: an open archive.
        out_dir: made when missing.
        options: weight format and what the card says.
        on_progress: told what begins.
        layout: which graphs.

    Raises:
        ArchiveError: the model is not supported (by the layout), or its weights do not fit its configuration.
    """
    config = parse_config(archive.config)
    if options.right_context_steps is not None:
        config = with_right_context(config, options.right_context_steps)
    streaming_spec(config.encoder)  # refuses what cannot be exported before the weights are read
    layout.check(contract(config, name=archive.path.name))
    on_progress("checking weights")
    model = load_transducer(config, archive.weights)
    with staged(out_dir) as folder:
        graphs = _write_graphs(model, folder, options.weights, layout, on_progress)
        (folder / TOKENIZER_FILE).write_bytes(archive.file(config.tokenizer_reference))
        layout.write_beside(contract(config, name=archive.path.name, graphs=graphs), folder)
        on_progress("hashing")
        spec = _spec(archive, config, options, graphs, hash_files(folder))
        card = options.card if options.card is not None else model_card(spec, options.weights)
        (folder / CARD_FILE).write_text(card, encoding="utf-8")
        write_spec(folder, spec)
    return spec


def _write_graphs(
    model: Transducer, folder: Path, weights: WeightFormat, layout: Layout, on_progress: Progress
) -> dict[str, GraphSpec]:
    writers = dict(layout.graphs)
    if streaming_spec(model.config.encoder).kind == "cache_aware":
        writers[STREAMING_GRAPH] = write_encoder_stream
    size = _BYTES[weights] * sum(p.numel() for p in model.encoder.parameters())
    external = ExternalData(folder / "encoder.onnx.data") if size > EXTERNAL_ABOVE_BYTES else None
    graphs = {}
    for name, write in writers.items():
        on_progress(f"writing {name}.onnx")
        graph = GraphBuilder(name, weights, external if name in _LARGE_GRAPHS else None)
        try:
            write(graph, model)
        except OverflowError as error:
            raise ArchiveError(str(error)) from error
        graphs[name] = graph.save(folder / f"{name}.onnx")
    if external is not None:
        external.close()
    return graphs


def _spec(
    archive: NemoArchive,
    config: TransducerConfig,
    options: ExportOptions,
    graphs: dict[str, GraphSpec],
    files: dict[str, FileSpec],
) -> ModelSpec:
    source = SourceSpec(
        file=archive.path.name,
        sha256=archive.sha256,
        exporter=f"parakeet-asr-tools {__version__}",
        nemo_version=config.nemo_version,
    )
    spec = contract(
        config,
        name=options.name or archive.path.stem,
        language=options.language,
        licence=options.licence,
        source=source,
        graphs=graphs,
        files=files,
    )
    # what is written must be what the runtime accepts
    return parse_model_spec(json.loads(json.dumps(spec.to_json())))
