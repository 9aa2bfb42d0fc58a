"""What a GPU could do at best: its measured ceilings, and the encoder's work."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from parakeet_asr.engines.pytorch.model.encoder import Encoder
from parakeet_asr.nemo.archive import open_archive
from parakeet_asr.nemo.config import EncoderConfig, parse_config

_COPY_BYTES = 2 << 30
_MATRIX = 8192
_REPEATS = 10
_FLOAT16_BYTES = 2


@dataclass(frozen=True, slots=True)
class Ceilings:
    """What was measured on this card."""

    gpu: str
    copy_bytes_per_s: float  # read and written, device to device
    float16_flop_per_s: float  # a large matrix product of random numbers


@dataclass(frozen=True, slots=True)
class Floor:
    """The least time that the encoder can take for a batch."""

    flop: float
    weight_bytes: float
    compute_s: float
    memory_s: float

    @property
    def floor_s(self) -> float:
        """The larger of the two."""
        return max(self.compute_s, self.memory_s)


def measure_ceilings() -> Ceilings:
    """Copy and multiply on the current CUDA device."""
    source = torch.empty(_COPY_BYTES, dtype=torch.uint8, device="cuda").random_()
    sink = torch.empty_like(source)
    copy_s = _seconds(lambda: sink.copy_(source))
    left, right = (torch.randn(_MATRIX, _MATRIX, device="cuda").half() for _ in range(2))
    product_s = _seconds(lambda: left @ right)
    return Ceilings(torch.cuda.get_device_name(), 2 * _COPY_BYTES / copy_s, 2 * _MATRIX**3 / product_s)


def encoder_config(nemo_file: Path) -> EncoderConfig:
    """The encoder of an archive."""
    with open_archive(nemo_file) as archive:
        return parse_config(archive.config).encoder


def encoder_floor(config: EncoderConfig, batch: int, frames: int, ceilings: Ceilings) -> Floor:
    """Count the encoder's products for ``batch`` signals of ``frames``, and its weights in float16 once."""
    with torch.device("meta"):
        encoder = Encoder(config).eval()
        features = torch.empty(batch, config.mels, frames)
        lengths = torch.empty(batch, dtype=torch.int64)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        encoder(features, lengths)
    flop = float(counter.get_total_flops())
    weight_bytes = float(_FLOAT16_BYTES * sum(weight.numel() for weight in encoder.parameters()))
    return Floor(
        flop, weight_bytes, flop / ceilings.float16_flop_per_s, weight_bytes / ceilings.copy_bytes_per_s
    )


def _seconds(work: Callable[[], object]) -> float:
    for _ in range(3):
        work()
    event: Any = torch.cuda.Event  # torch types it not
    begin, end = event(enable_timing=True), event(enable_timing=True)
    begin.record()
    for _ in range(_REPEATS):
        work()
    end.record()
    end.synchronize()
    return float(begin.elapsed_time(end)) / 1000 / _REPEATS
