"""What a model in training hears: the runtime's features and decoder, the encoder on the training device."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import torch

from parakeet_asr.core.engine import EncoderOutput, EncoderStream, PredictorState, StepOutput
from parakeet_asr.core.model_spec import ModelSpec
from parakeet_asr.core.recognizer import BatchOptions, Recognizer
from parakeet_asr.core.tokenizer import Tokenizer
from parakeet_asr.engines.pytorch.model.transducer import Transducer
from parakeet_asr.errors import EngineError
from parakeet_asr.nemo.contract import contract
from parakeet_asr.records import FloatArray, IntArray
from parakeet_asr.sources.audio_file import read_audio
from parakeet_asr_tools.train.manifest import Utterance
from parakeet_asr_tools.train.word_errors import Heard

_AT_A_TIME = 64


def transcribe(model: Transducer, tokenizer: Tokenizer, utterances: Sequence[Utterance]) -> list[Heard]:
    """What a model hears, in evaluation mode, wherever it is; it is left as it was."""
    was_training = model.training
    model.eval()
    try:
        recognizer = Recognizer(_DeviceEngine(model), tokenizer, BatchOptions(max_utterances=_AT_A_TIME))
        heard = []
        for first in range(0, len(utterances), _AT_A_TIME):
            rows = utterances[first : first + _AT_A_TIME]
            results = recognizer.recognize([read_audio(row.audio) for row in rows])
            heard += [Heard(row, result.text) for row, result in zip(rows, results, strict=True)]
        return heard
    finally:
        model.train(was_training)


class _DeviceEngine:
    """The encoder where the model is, the small steps of the decoder on the CPU."""

    description = "PyTorch, in training"

    def __init__(self, model: Transducer) -> None:
        self.spec: ModelSpec = contract(model.config, name="in training")
        self._encoder = model.encoder
        self._device = next(model.parameters()).device
        on_cpu = self._device.type == "cpu"
        self._decoder = model.decoder if on_cpu else copy.deepcopy(model.decoder).cpu()
        self._joint = model.joint if on_cpu else copy.deepcopy(model.joint).cpu()

    @torch.inference_mode()
    def encode(self, features: FloatArray, lengths: IntArray) -> EncoderOutput:
        """See :class:`parakeet_asr.core.engine.Engine`."""
        on_device = torch.from_numpy(features).to(self._device), torch.from_numpy(lengths).to(self._device)
        outputs, steps = self._encoder(*on_device)
        projected = self._joint.enc(outputs.transpose(1, 2).float().cpu())
        return EncoderOutput(projected.numpy(), steps.cpu().numpy())

    @torch.inference_mode()
    def step(self, projected: FloatArray, tokens: IntArray, state: PredictorState) -> StepOutput:
        """See :class:`parakeet_asr.core.engine.Engine`."""
        hidden, cell = torch.from_numpy(state.hidden), torch.from_numpy(state.cell)
        output, hidden, cell = self._decoder(torch.from_numpy(tokens), hidden, cell)
        logits = self._joint.combine(torch.from_numpy(projected), self._joint.pred(output)[:, None])
        return StepOutput(logits.numpy(), PredictorState(hidden.numpy(), cell.numpy()))

    def open_stream(self) -> EncoderStream:
        """Whole utterances are evaluated."""
        raise EngineError("a model in training has no streams; export it and use the runtime")

    def close(self) -> None:
        """Nothing to give back."""
