"""What a conversion costs: ranges, cosine per stage and tokens, on real speech."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper

from parakeet_asr.loader import load_model
from parakeet_asr.model_directory import read_model_directory
from parakeet_asr.records import FloatArray
from parakeet_asr_tools.benchmark.accuracy import agreement

_COMPUTING = {"Add", "Conv", "MatMul", "Mul", "Relu"}
_ENDS = ("outputs", "encoded_projected")


@dataclass(slots=True)
class StageError:
    """One tensor of the reference and its counterpart, over all utterances."""

    largest: float = 0.0  # of the reference, absolute
    worst_cosine: float = 1.0
    largest_error: float = 0.0
    not_finite: int = 0

    def add(self, reference: FloatArray, other: FloatArray) -> None:
        """One more utterance."""
        self.not_finite += int(np.count_nonzero(~np.isfinite(other)))
        self.largest = max(self.largest, float(np.abs(reference).max(initial=0.0)))
        self.largest_error = max(self.largest_error, float(np.abs(reference - other).max(initial=0.0)))
        self.worst_cosine = min(self.worst_cosine, cosine(reference, other))

    def to_json(self) -> dict[str, float]:
        """For the report."""
        return {
            "largest": round(self.largest, 3),
            "worst_cosine": round(self.worst_cosine, 9),
            "largest_error": round(self.largest_error, 6),
            "not_finite": self.not_finite,
        }


@dataclass(slots=True)
class Comparison:
    """All of it."""

    utterances: int = 0
    reference_tokens: int = 0
    token_errors: int = 0
    equal_utterances: int = 0
    stages: dict[str, StageError] = field(default_factory=dict)
    ranges: dict[str, float] = field(default_factory=dict)  # largest value inside of each layer, in float32

    @property
    def token_agreement(self) -> float:
        """Share of the reference's tokens that need no edit, 0..1."""
        return 1.0 - self.token_errors / max(1, self.reference_tokens)

    def to_json(self) -> dict[str, Any]:
        """For the report."""
        return {
            "utterances": self.utterances,
            "equal_utterances": self.equal_utterances,
            "reference_tokens": self.reference_tokens,
            "token_errors": self.token_errors,
            "token_agreement": round(self.token_agreement, 6),
            "stages": {name: stage.to_json() for name, stage in self.stages.items()},
            "ranges": {name: round(value, 2) for name, value in self.ranges.items()},
        }


def cosine(a: FloatArray, b: FloatArray) -> float:
    """Of two arrays as vectors; 1.0 where both are zero, 0.0 where one is or a value is not finite."""
    x, y = a.astype(np.float64).ravel(), b.astype(np.float64).ravel()
    norms = float(np.linalg.norm(x) * np.linalg.norm(y))
    if not np.isfinite(norms):
        return 0.0
    if norms == 0.0:
        return 1.0 if not x.any() and not y.any() else 0.0
    return float(x @ y / norms)


def compare(reference: Path, other: Path, audio: Sequence[FloatArray]) -> Comparison:
    """Run both model directories' encoders and decoders over utterances.

    Raises:
        ModelError: a directory cannot be used.
        EngineError: a graph cannot be loaded.
    """
    result = Comparison(utterances=len(audio))
    with (
        load_model(reference, threads=1, guard=None) as mine,
        load_model(other, threads=1, guard=None) as theirs,
    ):
        expected = [mine.transcribe(samples).token_ids for samples in audio]
        heard = [theirs.transcribe(samples).token_ids for samples in audio]
        extractor = mine.recognizer.features
    tokens = agreement(expected, heard)
    result.reference_tokens, result.token_errors = tokens.reference_tokens, tokens.token_errors
    result.equal_utterances = tokens.equal_utterances
    names = stage_names(_encoder(reference))
    sessions = [_session(_encoder(path), [*names.values(), *_ENDS]) for path in (reference, other)]
    labels = [*names, *_ENDS]
    result.stages = {label: StageError() for label in labels}
    inner = inner_values(_encoder(reference))
    looking = _session(_encoder(reference), inner)
    for samples in audio:
        features = extractor.extract(samples)[None]
        feeds = {"audio_signal": features, "length": np.array([features.shape[2]])}
        rows = [session.run([*names.values(), *_ENDS], feeds) for session in sessions]
        for label, a, b in zip(labels, *rows, strict=True):
            result.stages[label].add(a, b)
        for layer, value in zip(inner.values(), looking.run(list(inner), feeds), strict=True):
            largest = float(np.abs(value).max(initial=0.0))
            result.ranges[layer] = max(result.ranges.get(layer, 0.0), largest)
    return result


def stage_names(path: Path) -> dict[str, str]:
    """Stage -> value, of an encoder written by ``onnx_export``: what each layer reads, and the last one."""
    model = onnx.load(str(path), load_external_data=False)
    names = {}
    for node in model.graph.node:
        if re.fullmatch(r"layers\.0/feed_forward1/LayerNormalization", node.name):
            names["pre_encode"] = node.input[0].removesuffix(".fp32")
        if found := re.fullmatch(r"layers\.(\d+)/LayerNormalization", node.name):
            names[f"layer {found[1]}"] = node.output[0]
    return names


def inner_values(path: Path) -> dict[str, str]:
    """Value -> its layer, of everything that is computed in an encoder written by ``onnx_export``.

    Without the sums of the subsampling that drown padding in -60000: they are no activations.
    """
    model = onnx.load(str(path), load_external_data=False)
    typed = onnx.shape_inference.infer_shapes(model).graph
    floats = {i.name for i in typed.value_info if i.type.tensor_type.elem_type == TensorProto.FLOAT}
    found = {}
    for node in model.graph.node:
        scope = node.name.split("/", 1)[0]
        is_inside = scope == "pre_encode" or scope.startswith("layers.")
        drowns = scope == "pre_encode" and node.op_type != "Relu" and node.op_type != "MatMul"
        if is_inside and not drowns and node.op_type in _COMPUTING and node.output[0] in floats:
            found[node.output[0]] = scope.replace("layers.", "layer ")
    return found


def _encoder(directory: Path) -> Path:
    return directory / read_model_directory(directory, verify=False).graphs["encoder"].file


def _session(path: Path, outputs: Iterable[str]) -> Any:
    """The graph with more outputs than its own."""
    model = onnx.load(str(path), load_external_data=False)
    present = {info.name for info in model.graph.output}
    for name in outputs:
        if name not in present:
            model.graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, None))
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    beside = path.with_name(f".{path.name}.stages")  # external data is looked for beside the graph
    beside.write_bytes(model.SerializeToString())
    try:
        return onnxruntime.InferenceSession(str(beside), options, providers=["CPUExecutionProvider"])
    finally:
        beside.unlink()
