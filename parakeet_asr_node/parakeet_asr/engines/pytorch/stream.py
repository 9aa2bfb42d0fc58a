"""PyTorch: a cache-aware encoder, step by step."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from parakeet_asr.core.engine import EncoderOutput
from parakeet_asr.core.model_spec import ModelSpec
from parakeet_asr.core.stream_contract import StreamContract
from parakeet_asr.engines.pytorch.model.encoder import Caches
from parakeet_asr.records import FloatArray

Step = Callable[[Tensor, Tensor, Caches], tuple[Tensor, Tensor, Caches]]
"""[1, mels, window] features, [1] columns, caches -> [1, steps, joint_hidden], [1] steps, next caches."""


class TorchEncoderStream:
    """See :class:`parakeet_asr.core.engine.EncoderStream`."""

    def __init__(self, step: Step, caches: Caches, spec: ModelSpec, device: torch.device) -> None:
        """Stream with ``step`` from empty ``caches``, which stay as they are.

        Raises:
            EngineError: the model is an offline one.
        """
        self._contract = StreamContract(spec)
        self._step, self._empty, self._device = step, caches, device
        self._caches = caches

    def step(self, window: FloatArray, length: int) -> EncoderOutput:
        """See :class:`parakeet_asr.core.engine.EncoderStream`."""
        output, self._caches = self._run(window, length)
        self._contract.advance(length)
        return output

    def peek(self, window: FloatArray, length: int) -> EncoderOutput:
        """See :class:`parakeet_asr.core.engine.EncoderStream`."""
        return self._run(window, length)[0]

    def reset(self) -> None:
        """See :class:`parakeet_asr.core.engine.EncoderStream`."""
        self._contract.reset()
        self._caches = self._empty

    def _run(self, window: FloatArray, length: int) -> tuple[EncoderOutput, Caches]:
        self._contract.check_input(window, length)
        columns = torch.tensor([length], device=self._device)
        # .copy(): the caller may use its window again while the device still reads
        projected, steps, caches = self._step(
            torch.from_numpy(window.copy()).to(self._device), columns, self._caches
        )
        self._contract.check_output(int(steps[0]), int(caches.length[0]), length)
        return EncoderOutput(projected.cpu().numpy(), steps.cpu().numpy()), caches
