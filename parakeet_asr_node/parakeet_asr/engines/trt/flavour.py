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


def require_supported(compute_capability: str) -> None:
    """Refuse a GPU that this TensorRT will not run on, before minutes of building.

    Args:
        compute_capability: as ``9.0``.

    Raises:
        EngineError: TensorRT for RTX does not know it (Orin's 8.7, the data centre's 9.0 and 10.x).
    """
    known = getattr(trt, "ComputeCapability", None)
    if FLAVOUR != "tensorrt_rtx" or known is None:
        return
    numbers = sorted(int(name[2:]) for name in known.__members__ if name.startswith("SM"))
    mine = int(compute_capability.replace(".", ""))
    if mine not in numbers and mine < numbers[-1]:
        raise EngineError(
            f"TensorRT for RTX {trt.__version__} does not run on GPUs of compute capability "
            f"{compute_capability}, only on {', '.join(f'{n // 10}.{n % 10}' for n in numbers)} and newer: "
            "use the full TensorRT (pip install tensorrt; JetPack brings it), or engine 'torch' or 'ort'"
        )


__all__ = ["FLAVOUR", "KEEPS_TIMES", "require_supported", "trt"]
