"""Names of tensors, NeMo's and others', and what must hold for each chunk."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from parakeet_asr.core.model_spec import ModelSpec
from parakeet_asr.core.stream_contract import StreamContract
from parakeet_asr.errors import EngineError, ModelContractError

AnyArray = NDArray[Any]
Tensors = dict[str, AnyArray]

# trt-asr-engine's names -> NeMo's, which are ours
OTHER_NAMES = {
    "encoder_output": "outputs",
    "cache_last_channel_out": "cache_last_channel_next",
    "cache_last_time_out": "cache_last_time_next",
    "cache_last_channel_len_out": "cache_last_channel_next_len",
}
CACHES = {
    "cache_last_channel": "cache_last_channel_next",
    "cache_last_time": "cache_last_time_next",
    "cache_last_channel_len": "cache_last_channel_next_len",
}


def our_names(names: Iterable[str]) -> dict[str, str]:
    """Our name -> the graph's, for a graph with NeMo's names or trt-asr-engine's.

    Raises:
        ModelContractError: two of its tensors mean the same.
    """
    found: dict[str, str] = {}
    for name in names:
        ours = OTHER_NAMES.get(name, name)
        if ours in found:
            raise ModelContractError(f"{name!r} and {found[ours]!r} both stand for {ours!r}; rename one")
        found[ours] = name
    return found


def not_numbers(outputs: Mapping[str, AnyArray]) -> list[str]:
    """Which outputs hold values that are no numbers."""
    return [f"{n}: values that are no numbers" for n, v in outputs.items() if not np.isfinite(v).all()]


class ChunkContract:
    """Follows one signal and says what is wrong with a chunk's answer; nothing is wrong with most."""

    def __init__(self, spec: ModelSpec) -> None:
        """Begin a signal of a cache-aware model."""
        self._stream = StreamContract(spec)

    def violations(self, inputs: Mapping[str, AnyArray], outputs: Mapping[str, AnyArray]) -> list[str]:
        """Of the next chunk."""
        window, length = inputs["audio_signal"], int(inputs["length"][0])
        found = []
        steps = int(outputs["encoded_lengths"][0])
        cached = int(outputs["cache_last_channel_next_len"][0])
        if int(inputs["cache_last_channel_len"][0]) != self._stream.cached_steps:
            found.append(
                f"cache_last_channel_len: {self._stream.cached_steps} steps were heard, "
                f"{int(inputs['cache_last_channel_len'][0])} came in: context is lost"
            )
        try:
            self._stream.check_input(window, length)
            self._stream.check_output(steps, cached, length)
        except EngineError as error:
            found.append(str(error))
        found += [
            f"{name}: values that are no numbers" for name, v in outputs.items() if not np.isfinite(v).all()
        ]
        self._stream.advance(length)
        return found
