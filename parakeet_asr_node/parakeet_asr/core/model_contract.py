"""Reading the object of ``model.json`` and checking it against itself.

Reading the file, its hashes and the graphs is the edge's business
(:mod:`parakeet_asr.model_directory` and the engines); this module only knows what must hold.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields

from parakeet_asr.core.model_spec import (
    FORMAT_VERSION,
    REQUIRED_GRAPHS,
    STREAMING_GRAPH,
    DecoderSpec,
    EncoderSpec,
    GraphSpec,
    ModelSpec,
    cache_aware_streaming,
    streaming_graph,
)
from parakeet_asr.core.reading import read_object
from parakeet_asr.core.split_graphs import SPLIT_GRAPHS, is_split, split_graphs
from parakeet_asr.errors import ModelContractError


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
    if is_split(spec):
        for name, expected in split_graphs(spec).items():
            _check_tensors(name, spec.graphs[name], expected)
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
    _check_tensors(STREAMING_GRAPH, spec.graphs[STREAMING_GRAPH], streaming_graph(spec))


def _check_tensors(name: str, graph: GraphSpec, expected: GraphSpec) -> None:
    for role, found, wanted in (
        ("inputs", graph.inputs, expected.inputs),
        ("outputs", graph.outputs, expected.outputs),
    ):
        where = f"graphs.{name}.{role}"
        if set(found) != set(wanted):
            raise _fail(where, str(sorted(wanted)), sorted(found))
        for tensor_name, tensor in wanted.items():
            if found[tensor_name] != tensor:
                came = found[tensor_name]
                raise _fail(f"{where}.{tensor_name}", f"{tensor.dtype}{list(tensor.shape)}", came)


def _check_files(spec: ModelSpec) -> None:
    streams = spec.encoder.streaming.kind == "cache_aware"
    if streams and is_split(spec):
        raise _fail("graphs", "a fused decoder_step for a cache_aware model", sorted(spec.graphs))
    required = SPLIT_GRAPHS if is_split(spec) else REQUIRED_GRAPHS
    for name in (*required, STREAMING_GRAPH) if streams else required:
        if name not in spec.graphs:
            raise _fail("graphs", f"a graph named {name!r}", sorted(spec.graphs))
    for file in (spec.tokenizer, *(graph.file for graph in spec.graphs.values())):
        if file not in spec.files:
            raise _fail("files", f"a sha256 for {file!r}", sorted(spec.files))
    for file in spec.files:
        if "/" in file or "\\" in file or file in ("", ".", ".."):
            raise _fail("files", "plain file names inside the model directory", file)
