"""Which TensorRT is here. The one place that knows the names of its packages."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from parakeet_asr.errors import EngineError

if TYPE_CHECKING:
    import tensorrt as trt

    FLAVOUR: str = "tensorrt"
else:
    FLAVOUR, trt = None, None
    # RTX builds without a GPU, but neither for Orin (8.7) nor for Hopper (9.0): the full one goes first.
    for _flavour, _module in (
        ("tensorrt", "tensorrt"),
        ("tensorrt_rtx", "tensorrt_rtx"),
        ("tensorrt_rtx", "tensorrt_rtx_bindings"),
    ):
        try:
            _found = importlib.import_module(_module)
        except ImportError:
            continue
        if hasattr(_found, "Builder"):  # a folder of type stubs imports, too
            FLAVOUR, trt = _flavour, _found
            break
    if trt is None:
        raise EngineError(
            "expected TensorRT 10.3 or newer, found none: on a Jetson it comes with JetPack, use a venv with "
            "--system-site-packages; on a PC: pip install tensorrt (docs/jetson.md)"
        )

MINIMUM_VERSION = (10, 3)
if tuple(map(int, trt.__version__.split(".")[:2])) < MINIMUM_VERSION and FLAVOUR == "tensorrt":
    raise EngineError(f"expected TensorRT 10.3 or newer, found {trt.__version__}; update JetPack")

KEEPS_TIMES = FLAVOUR == "tensorrt"
"""Whether it measures kernels when it builds; RTX chooses them when an engine is loaded."""

__all__ = ["FLAVOUR", "KEEPS_TIMES", "trt"]
