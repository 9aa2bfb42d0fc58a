"""Predictor, joint network and the whole transducer, with strict loading of NeMo's state dict."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from parakeet_asr.engines.pytorch.model.encoder import Encoder
from parakeet_asr.errors import ArchiveError
from parakeet_asr.nemo.config import PredictorConfig, TransducerConfig

IGNORED_PREFIXES = ("preprocessor.", "ctc_decoder.", "spec_augmentation.", "loss.")
"""Entries of a NeMo checkpoint that inference of the transducer does not use."""


class Predictor(nn.Module):
    """Embedding and LSTM; the blank id embeds to zero and stands for the start of a sequence."""

    def __init__(self, config: PredictorConfig, vocabulary_size: int) -> None:
        super().__init__()
        self.prediction = nn.ModuleDict(
            {
                "embed": nn.Embedding(vocabulary_size + 1, config.hidden, padding_idx=vocabulary_size),
                "dec_rnn": nn.ModuleDict({"lstm": nn.LSTM(config.hidden, config.hidden, config.layers)}),
            }
        )

    @property
    def embedding(self) -> nn.Embedding:
        """Token ids to vectors."""
        module = self.prediction["embed"]
        assert isinstance(module, nn.Embedding)
        return module

    @property
    def lstm(self) -> nn.LSTM:
        """The recurrent part."""
        module = self.prediction["dec_rnn"]["lstm"]  # type: ignore[index]  # a ModuleDict
        assert isinstance(module, nn.LSTM)
        return module

    def forward(self, token: Tensor, hidden: Tensor, cell: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Feed one token.

        Args:
            token: [batch] int64.
            hidden: [layers, batch, hidden] state.
            cell: [layers, batch, hidden] state.

        Returns:
            [batch, hidden] output, and the new state.
        """
        out, (hidden, cell) = self.lstm(self.embedding(token)[None], (hidden, cell))
        return out[0], hidden, cell


class Joint(nn.Module):
    """``output(relu(enc(encoder) + pred(predictor)))``, raw logits."""

    def __init__(self, config: TransducerConfig) -> None:
        super().__init__()
        self.enc = nn.Linear(config.encoder.d_model, config.joint.hidden)
        self.pred = nn.Linear(config.predictor.hidden, config.joint.hidden)
        self._output_index = config.joint.output_index
        self.joint_net = nn.ModuleDict(
            {str(self._output_index): nn.Linear(config.joint.hidden, config.logits_size)}
        )

    @property
    def output(self) -> nn.Linear:
        """The last layer."""
        module = self.joint_net[str(self._output_index)]
        assert isinstance(module, nn.Linear)
        return module

    def forward(self, encoder_output: Tensor, predictor_output: Tensor) -> Tensor:
        """[batch, T, d_model], [batch, U, hidden] -> [batch, T, U, logits]."""
        return self.combine(self.enc(encoder_output)[:, :, None], self.pred(predictor_output)[:, None])

    def combine(self, encoder_projected: Tensor, predictor_projected: Tensor) -> Tensor:
        """Join two projections that broadcast against each other."""
        logits: Tensor = self.output(torch.relu(encoder_projected + predictor_projected))
        return logits


class Transducer(nn.Module):
    """A whole model; the attribute names are NeMo's."""

    def __init__(self, config: TransducerConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = Encoder(config.encoder)
        self.decoder = Predictor(config.predictor, config.vocabulary_size)
        self.joint = Joint(config)


class _Uninitialized(TorchFunctionMode):
    """Leaves parameters as they are: random values on the meta device are nothing, and cost a second.

    What draws them there is written in Python, and pulls 800 modules of PyTorch in.
    """

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        del types
        kwargs = kwargs or {}
        if getattr(func, "__module__", None) == "torch.nn.init":
            return kwargs.get("tensor", args[0] if args else None)
        return func(*args, **kwargs)


def load_transducer(config: TransducerConfig, weights: Mapping[str, Tensor]) -> Transducer:
    """Build the model around a NeMo state dict.

    The tensors are adopted, not copied (memory mapped ones stay so).

    Raises:
        ArchiveError: a weight is missing, unknown or of another shape than the configuration says.
    """
    with _Uninitialized(), torch.device("meta"):
        model = Transducer(config)
    expected = model.state_dict()
    given = {key: value for key, value in weights.items() if not key.startswith(IGNORED_PREFIXES)}
    for title, names in (
        ("missing", expected.keys() - given.keys()),
        ("unknown", given.keys() - expected.keys()),
    ):
        if names:
            raise ArchiveError(
                f"weights: {len(names)} {title}, the first is {min(names)!r}; the configuration differs"
            )
    for name, tensor in expected.items():
        if given[name].shape != tensor.shape:
            raise ArchiveError(
                f"weights: {name} is {tuple(given[name].shape)}, expected {tuple(tensor.shape)}"
            )
        if given[name].dtype.is_floating_point != tensor.dtype.is_floating_point:
            raise ArchiveError(f"weights: {name} is {given[name].dtype}, expected {tensor.dtype}")
    floats = {k: v.float() if v.dtype.is_floating_point else v for k, v in given.items()}
    model.load_state_dict(floats, strict=True, assign=True)
    return model.eval().requires_grad_(False)
