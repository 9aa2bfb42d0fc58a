"""PyTorch behind the engine seam: CUDA with float16 products and CUDA graphs, or the CPU in float32."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import wraps
from typing import Concatenate, ParamSpec, TypeVar

import numpy as np
import torch
from torch import Tensor

from parakeet_asr.core.batch_sizes import BUCKET_FRAMES, recurring
from parakeet_asr.core.choices import PrecisionName
from parakeet_asr.core.engine import EncoderOutput, PredictorState, StepOutput
from parakeet_asr.core.model_spec import ModelSpec
from parakeet_asr.core.sound import as_signal, silence_nonsense
from parakeet_asr.core.spectrum import HOP_SAMPLES
from parakeet_asr.core.stream_contract import require_cache_aware
from parakeet_asr.engines.pytorch.features import LogMelFeatures
from parakeet_asr.engines.pytorch.graphs import GraphCache
from parakeet_asr.engines.pytorch.label_looping import BatchDecoder
from parakeet_asr.engines.pytorch.model.encoder import Caches
from parakeet_asr.engines.pytorch.model.transducer import Transducer
from parakeet_asr.engines.pytorch.precision import encoder_arithmetic, halve_products, resolve_precision
from parakeet_asr.engines.pytorch.stream import TorchEncoderStream
from parakeet_asr.errors import EngineError
from parakeet_asr.nemo.contract import contract
from parakeet_asr.records import FloatArray, IntArray, Token

_BUCKET_SAMPLES = BUCKET_FRAMES * HOP_SAMPLES
"""Lengths are padded to multiples of 1.28 s, so that the same graphs come again."""

_P = ParamSpec("_P")
_R = TypeVar("_R")


def _guarded(
    method: Callable[Concatenate[TorchEngine, _P], _R],
) -> Callable[Concatenate[TorchEngine, _P], _R]:
    """Run without gradients, and turn what PyTorch raises into an EngineError."""

    @wraps(method)
    def run(self: TorchEngine, /, *args: _P.args, **kwargs: _P.kwargs) -> _R:
        if self.closed:
            raise EngineError("this engine was closed; load the model again")
        try:
            with torch.inference_mode():
                return method(self, *args, **kwargs)
        except (RuntimeError, torch.OutOfMemoryError) as error:
            raise EngineError(f"PyTorch failed: {str(error).splitlines()[0]}") from error

    return run


@dataclass(frozen=True, slots=True)
class Heard:
    """Encoder steps of a batch on the device."""

    projected: Tensor  # [batch, steps, joint_hidden]
    steps: Tensor  # [batch] int64, valid ones


class TorchEngine:
    """Runs a :class:`Transducer`."""

    def __init__(
        self,
        model: Transducer,
        name: str = "torch",
        *,
        device: str = "cpu",
        precision: PrecisionName = "auto",
        compiled: bool = False,
    ) -> None:
        """Take the model over: it is moved to ``device`` and its encoder stored in ``precision``.

        Args:
            model: as loaded.
            name: of the model.
            device: as torch names it.
            precision: of the encoder's products; ``auto`` is float16 on CUDA, float32 on the CPU. The decoder
                is float32 always: it is small, and a rounded score is another token.
            compiled: run the encoder through torch.compile; new shapes then take a minute each.

        Raises:
            EngineError: the device is not there.
        """
        self.closed = False
        self._device = torch.device(device)
        if self._device.type == "cuda" and not torch.cuda.is_available():
            raise EngineError(
                f"device {device!r}: this PyTorch ({torch.__version__}) sees no CUDA device; use device 'cpu'"
            )
        self.model = model.to(self._device)
        self._spec = contract(model.config, name=name)
        self._dtype = resolve_precision(precision, self._device)
        halve_products(model.encoder, self._dtype)
        self._features = LogMelFeatures(self._spec.features).to(self._device)
        encode = torch.compile(self._encoded, dynamic=False) if compiled else self._encoded
        self._encode = GraphCache(encode, self._device)
        self._hear = GraphCache(lambda x, n: encode(*self._features(x, n)), self._device)
        self._joined = GraphCache(self._predicted_and_joined, self._device)
        self._decoder: BatchDecoder | None = None

    @property
    def spec(self) -> ModelSpec:
        """The contract of the model, without graphs and files."""
        return self._spec

    @property
    def description(self) -> str:
        """For people."""
        place = torch.cuda.get_device_name(self._device) if self.on_cuda else "CPU"
        return f"torch {torch.__version__} {place} {str(self._dtype).removeprefix('torch.')}"

    @property
    def on_cuda(self) -> bool:
        """Whether it runs on a CUDA device."""
        return self._device.type == "cuda"

    @property
    def device_memory_bytes(self) -> int:
        """All memory of its CUDA device; 0 on the CPU."""
        return int(torch.cuda.get_device_properties(self._device).total_memory) if self.on_cuda else 0

    @_guarded
    def encode(self, features: FloatArray, lengths: IntArray) -> EncoderOutput:
        """See :class:`parakeet_asr.core.engine.Engine`."""
        projected, steps = self._encode(self._there(features), self._there(lengths))
        return EncoderOutput(projected.cpu().numpy(), steps.cpu().numpy())

    @_guarded
    def step(self, projected: FloatArray, tokens: IntArray, state: PredictorState) -> StepOutput:
        """See :class:`parakeet_asr.core.engine.Engine`."""
        logits, hidden, cell = self._joined(
            self._there(projected), self._there(tokens), self._there(state.hidden), self._there(state.cell)
        )
        return StepOutput(logits.cpu().numpy(), PredictorState(hidden.cpu().numpy(), cell.cpu().numpy()))

    def decode_audio(self, audio: Sequence[FloatArray]) -> list[tuple[Token, ...]]:
        """See :class:`parakeet_asr.core.engine.AudioDecoder`."""
        return self.decode_heard(self.hear(audio))

    @_guarded
    def hear(self, audio: Sequence[FloatArray]) -> Heard:
        """The first half of :meth:`decode_audio`: features and encoder. Valid until the next call."""
        samples, lengths = self._batch(audio)
        projected, steps = self._hear(samples, lengths)
        return Heard(projected[: len(audio)], steps[: len(audio)])

    @_guarded
    def decode_heard(self, heard: Heard) -> list[tuple[Token, ...]]:
        """The second half of :meth:`decode_audio`."""
        if self._decoder is None:
            self._decoder = BatchDecoder(self.model, self._spec.decoder, self._device)
        return self._decoder.decode(heard.projected, heard.steps)

    @_guarded
    def open_stream(self) -> TorchEncoderStream:
        """See :class:`parakeet_asr.core.engine.Engine`."""
        require_cache_aware(self._spec)
        caches = self.model.encoder.initial_caches(1, self._device)
        return TorchEncoderStream(self._stream_step, caches, self._spec, self._device)

    def close(self) -> None:
        """Give graphs and weights back."""
        for cache in (self._encode, self._hear, self._joined):
            cache.close()
        self._decoder = None
        self.closed = True
        self.model.to("meta")
        if self._device.type == "cuda":
            torch.cuda.empty_cache()

    # --- what runs on the device ----------------------------------------------------------------

    def _encoded(self, features: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        with encoder_arithmetic(self._device, self._dtype):
            outputs, steps = self.model.encoder(features, lengths)
        return self.model.joint.enc(outputs.transpose(1, 2).float()), steps

    def _predicted_and_joined(
        self, projected: Tensor, tokens: Tensor, hidden: Tensor, cell: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        output, hidden, cell = self.model.decoder(tokens, hidden, cell)
        predicted = self.model.joint.pred(output)[:, None]
        return self.model.joint.combine(projected, predicted), hidden, cell

    @_guarded
    def _stream_step(
        self, features: Tensor, lengths: Tensor, caches: Caches
    ) -> tuple[Tensor, Tensor, Caches]:
        with encoder_arithmetic(self._device, self._dtype):
            outputs, steps, caches = self.model.encoder.step(features, lengths, caches)
        return self.model.joint.enc(outputs.transpose(1, 2).float()), steps, caches

    # --- from the host to the device ------------------------------------------------------------

    def _there(self, array: FloatArray | IntArray) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(array)).to(self._device, non_blocking=True)

    def _batch(self, audio: Sequence[FloatArray]) -> tuple[Tensor, Tensor]:
        """[batch, samples] and [batch], both padded on CUDA so that the same graphs come again."""
        signals = [silence_nonsense(as_signal(samples))[0] for samples in audio]
        rows, longest = len(signals), max(map(len, signals))
        if self.on_cuda:
            rows, longest = recurring(rows, longest, _BUCKET_SAMPLES)
        samples = torch.zeros((rows, longest), pin_memory=self.on_cuda)
        lengths = torch.zeros(rows, dtype=torch.int64, pin_memory=self.on_cuda)
        for row, signal in enumerate(signals):
            samples[row, : len(signal)] = torch.from_numpy(signal)
            lengths[row] = len(signal)
        return samples.to(self._device, non_blocking=True), lengths.to(self._device, non_blocking=True)
