"""The PyTorch reference behind the runtime's engine seam, so that the runtime's own decoder drives it."""

from __future__ import annotations

import torch

from parakeet_asr.core.engine import EncoderOutput, PredictorState, StepOutput
from parakeet_asr.core.model_spec import ModelSpec
from parakeet_asr.core.stream_contract import StreamContract
from parakeet_asr.records import FloatArray, IntArray
from parakeet_asr_tools.contract import contract
from parakeet_asr_tools.torch_model.encoder import Caches
from parakeet_asr_tools.torch_model.transducer import Transducer


class TorchEngine:
    """Runs a :class:`Transducer` on the CPU. For checking and calibrating, not for speed."""

    def __init__(self, model: Transducer, name: str = "torch") -> None:
        self.model = model
        self._spec = contract(model.config, name=name)

    @property
    def spec(self) -> ModelSpec:
        """The contract of the model, without graphs and files."""
        return self._spec

    @property
    def description(self) -> str:
        """For people."""
        return f"torch {torch.__version__} CPU float32"

    @torch.inference_mode()
    def encode(self, features: FloatArray, lengths: IntArray) -> EncoderOutput:
        """See :class:`parakeet_asr.core.engine.Engine`."""
        outputs, steps = self.model.encoder(torch.from_numpy(features), torch.from_numpy(lengths))
        projected = self.model.joint.enc(outputs.transpose(1, 2))
        return EncoderOutput(projected.numpy(), steps.numpy())

    @torch.inference_mode()
    def step(self, projected: FloatArray, tokens: IntArray, state: PredictorState) -> StepOutput:
        """See :class:`parakeet_asr.core.engine.Engine`."""
        hidden, cell = torch.from_numpy(state.hidden), torch.from_numpy(state.cell)
        output, hidden, cell = self.model.decoder(torch.from_numpy(tokens), hidden, cell)
        predicted = self.model.joint.pred(output)[:, None]
        logits = self.model.joint.combine(torch.from_numpy(projected), predicted)
        return StepOutput(logits.numpy(), PredictorState(hidden.numpy(), cell.numpy()))

    def open_stream(self) -> TorchEncoderStream:
        """See :class:`parakeet_asr.core.engine.Engine`."""
        return TorchEncoderStream(self.model, self._spec)

    def close(self) -> None:
        """Nothing to give back."""


class TorchEncoderStream:
    """See :class:`parakeet_asr.core.engine.EncoderStream`."""

    def __init__(self, model: Transducer, spec: ModelSpec) -> None:
        self._contract = StreamContract(spec)
        self._model = model
        self._caches = model.encoder.initial_caches(1)

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
        self._caches = self._model.encoder.initial_caches(1)

    @torch.inference_mode()
    def _run(self, window: FloatArray, length: int) -> tuple[EncoderOutput, Caches]:
        self._contract.check_input(window, length)
        features = torch.from_numpy(window.copy())
        outputs, steps, caches = self._model.encoder.step(features, torch.tensor([length]), self._caches)
        self._contract.check_output(int(steps[0]), int(caches.length[0]), length)
        projected = self._model.joint.enc(outputs.transpose(1, 2))
        return EncoderOutput(projected.numpy(), steps.numpy()), caches
