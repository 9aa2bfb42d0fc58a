"""Names that a user chooses an engine by; nothing is imported, so that ``--help`` answers at once."""

from __future__ import annotations

from typing import Literal, get_args

EngineName = Literal["auto", "ort", "trt", "torch"]
"""``auto`` looks at the model, see :func:`parakeet_asr.engine_choice.automatic_engine`."""

DeviceName = Literal["auto", "cpu", "cuda"]
"""``auto`` is what the engine is for: ort the CPU, trt CUDA, torch CUDA where there is one."""

PrecisionName = Literal["auto", "float32", "float16", "bfloat16"]
"""Of an encoder's matrix products where the engine may choose; ``auto``: float16 on CUDA, else float32."""

FallbackName = Literal["cpu", "error"]
"""What is done where engine trt cannot be used: ONNX Runtime on the CPU, or nothing."""

ENGINES: tuple[EngineName, ...] = get_args(EngineName)
DEVICES: tuple[DeviceName, ...] = get_args(DeviceName)
PRECISIONS: tuple[PrecisionName, ...] = get_args(PrecisionName)
FALLBACKS: tuple[FallbackName, ...] = get_args(FallbackName)
