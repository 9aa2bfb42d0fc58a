"""What is in an engine: layers and their types, inputs, outputs, memory.

TensorRT writes the finished engine into its log, in the words in which its inspector answers; so an engine
can be inspected where it was built, also without a GPU to load it on.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

_LAYER = re.compile(r"^(?:Name: )(?P<name>.+?), LayerType: (?P<kind>\w+), Inputs: (?P<rest>.*)$", re.M)
_OUTPUTS = re.compile(r"Outputs: \[(?P<outputs>.*?)\], TacticName")
_DATATYPE = re.compile(r"Datatype: (\w+)")
_TENSOR = re.compile(
    r"^\s*Name: (?P<name>\S+), IOMode: (?P<mode>\w+), DataType: (?P<dtype>\w+), "
    r"Dimensions: \[(?P<shape>[^\]]*)\],(?P<rest>.*)$",
    re.M,
)
_PROFILE = re.compile(r"MinShape: \[([^\]]*)\], OptShape: \[([^\]]*)\], MaxShape: \[([^\]]*)\]")
_WEIGHTS = re.compile(r"Total Weights Memory: (\d+) bytes")
_ACTIVATIONS = re.compile(r"Total Activation Memory: (\d+) bytes")


@dataclass(frozen=True, slots=True)
class EngineTensor:
    """An input or output as the engine has it."""

    mode: str  # Input or Output
    dtype: str  # TensorRT's name: Float, Half, Int64
    shape: tuple[int, ...]  # -1 where it is dynamic
    profiles: tuple[tuple[tuple[int, ...], ...], ...] = ()  # least, typical and most of each profile


@dataclass(frozen=True, slots=True)
class EngineSummary:
    """What the finished engine consists of."""

    layers: int = 0
    products: dict[str, int] = field(default_factory=dict)  # products and convolutions by type of factors
    outputs_by_type: dict[str, int] = field(default_factory=dict)  # of all layers
    tensors: dict[str, EngineTensor] = field(default_factory=dict)
    weights_bytes: int = 0
    activation_bytes: int = 0

    def to_json(self) -> dict[str, Any]:
        """For build_report.json."""
        return asdict(self)


_PRODUCT_KINDS = ("runtime_fusion", "gemm", "conv", "fusion", "CaskGemm", "CaskConvolution")
_NARROW_FIRST = ("Int8", "FP8", "Half", "BFloat16")
_PRODUCT_WORDS = ("Fc", "Conv", "gemm", "MatMul", "Bmm")


def read_engine_log(text: str) -> EngineSummary:
    """Of the log of a verbose build, or the inspector's answer in one-line format."""
    products: Counter[str] = Counter()
    outputs: Counter[str] = Counter()
    layers = list(_LAYER.finditer(text))
    for layer in layers:
        rest = layer["rest"]
        made = _OUTPUTS.search(rest)
        outputs.update(_DATATYPE.findall(made["outputs"]) if made else ())
        if _is_product(layer["name"], layer["kind"]):
            products[_product_type(rest)] += 1
    return EngineSummary(
        layers=len(layers),
        products=dict(products),
        outputs_by_type=dict(outputs),
        tensors=dict(_tensors(text)),
        weights_bytes=_number(_WEIGHTS, text),
        activation_bytes=_number(_ACTIVATIONS, text),
    )


def _product_type(rest: str) -> str:
    """The narrowest type that it reads: what is added to the product may be wider than its factors."""
    read = set(_DATATYPE.findall(rest.split("], Outputs: [", 1)[0]))
    return next((kind for kind in _NARROW_FIRST if kind in read), "Float")


def _is_product(name: str, kind: str) -> bool:
    return kind in _PRODUCT_KINDS or any(word in name for word in _PRODUCT_WORDS)


def _tensors(text: str) -> Iterable[tuple[str, EngineTensor]]:
    for found in _TENSOR.finditer(text):
        profiles = tuple(
            tuple(_shape(shape) for shape in profile) for profile in _PROFILE.findall(found["rest"])
        )
        yield found["name"], EngineTensor(found["mode"], found["dtype"], _shape(found["shape"]), profiles)


def _shape(text: str) -> tuple[int, ...]:
    return tuple(int(n) for n in text.split(",") if n.strip())


def _number(pattern: re.Pattern[str], text: str) -> int:
    found = pattern.findall(text)
    return int(found[-1]) if found else 0
