"""A transducer in training: dropout, teacher forcing, and the losses of a batch."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from parakeet_asr.engines.pytorch.model.lengths import valid_mask
from parakeet_asr.engines.pytorch.model.transducer import Transducer
from parakeet_asr.nemo.config import TransducerConfig
from parakeet_asr_tools.train.batches import Batch
from parakeet_asr_tools.train.features import BatchFeatures, mask_blocks
from parakeet_asr_tools.train.loss import Losses, ctc_loss, distance, transducer_loss
from parakeet_asr_tools.train.settings import Frozen, Settings


class Trainee(nn.Module):
    """A transducer, the features it reads, and a CTC head that is dropped in the end."""

    def __init__(self, transducer: Transducer, settings: Settings) -> None:
        super().__init__()
        self.transducer = transducer.requires_grad_(True)
        self.settings = settings
        self._frozen = frozen_parts(transducer, settings.freeze)
        for part in self._frozen:
            part.requires_grad_(False)
        config = transducer.config
        self.features = BatchFeatures(config.preprocessor)
        self.ctc_head = (
            nn.Linear(config.encoder.d_model, config.vocabulary_size + 1) if settings.ctc_weight else None
        )
        add_dropout(transducer, settings.dropout)

    def train(self, mode: bool = True) -> Trainee:
        """Like any module; what is frozen, and batch norms where the settings say so, stay as they are."""
        super().train(mode)
        for part in self._frozen:
            part.eval()
        if self.settings.freeze_norm:
            for module in self.modules():
                if isinstance(module, nn.BatchNorm1d):
                    module.eval()
        return self

    def forward(
        self,
        batch: Batch,
        teacher: Teacher | None,
        *,
        with_durations: bool = True,
        context: tuple[int, int] | None = None,
    ) -> Losses:
        """What a batch costs, per token.

        Args:
            batch: on the device of the parameters.
            teacher: whose encoder to come close to; its joint projection must be as wide.
            with_durations: False takes the RNNT loss of the same model, without its durations.
            context: which of its attention contexts; the first by default.
        """
        settings, config = self.settings, self.transducer.config
        features, frames = self.features(batch.samples, batch.sample_lengths, batch.warp)
        if self.training:
            features = mask_blocks(features, batch.blocks, self._nothing(features, frames))
        with torch.autocast(features.device.type, torch.bfloat16, settings.precision == "bfloat16"):
            encoded, steps = self.transducer.encoder(features, frames, context)
            encoded = encoded.transpose(1, 2)
            projected = self.transducer.joint.enc(encoded)
            predicted = self.transducer.joint.pred(self._predict(batch.targets))
            ctc_logits = self.ctc_head(encoded) if self.ctc_head is not None else None
            ideal = teacher(batch) if teacher is not None else None
        tokens = batch.target_lengths.sum().clamp(min=1)
        durations = config.durations if with_durations else ()
        written = self._transducer_losses(projected, predicted, batch, steps, durations).sum() / tokens
        zero = written.new_zeros(())
        ctc, far = zero, zero
        if ctc_logits is not None:
            ctc = ctc_loss(ctc_logits, batch.targets, steps, batch.target_lengths).sum() / tokens
        if teacher is not None and ideal is not None:
            far = self._distance(projected, steps, ideal, teacher)
        total = written + settings.ctc_weight * ctc + settings.teacher_weight * far
        return Losses(total, written, ctc, far)

    def _nothing(self, features: Tensor, frames: Tensor) -> Tensor:
        """[batch] what stands for nothing heard: the mean, which is 0 where features are normalised."""
        if self.transducer.config.preprocessor.normalize == "per_feature":
            return features.new_zeros(len(features))
        return features.sum(dim=(1, 2)) / (frames * features.shape[1]).clamp(min=1)

    def _distance(
        self, projected: Tensor, steps: Tensor, ideal: tuple[Tensor, Tensor], teacher: Teacher
    ) -> Tensor:
        """To the teacher's projection, where both have a step.

        A causal encoder's step t + 1 is centred where step t of a symmetric one is, but for a frame
        (``surgery``), so it is late by one.
        """
        ours, theirs = self.transducer.config.encoder, teacher.transducer.config.encoder
        late = int(ours.causal_downsampling and not theirs.causal_downsampling)
        wanted, wanted_steps = ideal
        count = min(projected.shape[1] - late, wanted.shape[1])
        both = valid_mask(torch.minimum(steps - late, wanted_steps), count)
        return distance(projected[:, late : late + count], wanted[:, :count], both)

    def _predict(self, targets: Tensor) -> Tensor:
        """The predictor behind every prefix of the targets, [batch, U + 1, hidden]."""
        decoder, config = self.transducer.decoder, self.transducer.config
        begun = functional.pad(targets, (1, 0), value=config.vocabulary_size)  # the blank id is the start
        with torch.autocast(targets.device.type, enabled=False):  # few CPUs have a bfloat16 LSTM
            out, _ = decoder.lstm(decoder.embedding(begun).transpose(0, 1))
        return functional.dropout(out.transpose(0, 1), self.settings.dropout, decoder.training)

    def _transducer_losses(
        self, projected: Tensor, predicted: Tensor, batch: Batch, steps: Tensor, durations: tuple[int, ...]
    ) -> Tensor:
        """[batch]; the joint network runs on as many utterances at a time as fit."""
        config, settings = self.transducer.config, self.settings
        cells = projected.shape[1] * predicted.shape[1] * config.logits_size
        count = max(1, settings.joint_cells // cells)
        sigma = settings.sigma if durations else 0.0

        def of(first: int) -> Tensor:
            rows = slice(first, first + count)
            with torch.autocast(projected.device.type, torch.bfloat16, settings.precision == "bfloat16"):
                logits = self.transducer.joint.combine(projected[rows, :, None], predicted[rows, None])
            if not durations:
                logits = logits[..., : config.vocabulary_size + 1]
            targets, lengths = batch.targets[rows], batch.target_lengths[rows]
            return transducer_loss(logits, targets, steps[rows], lengths, durations, sigma)

        if count >= len(projected):
            return of(0)
        parts = [checkpoint(of, first, use_reentrant=False) for first in range(0, len(projected), count)]
        return torch.cat(parts)


class Teacher(nn.Module):
    """A model whose encoder to come close to; it may read other features than the one that is taught."""

    def __init__(self, transducer: Transducer) -> None:
        super().__init__()
        self.transducer = transducer.eval().requires_grad_(False)
        self.features = BatchFeatures(transducer.config.preprocessor)

    @torch.no_grad()
    def forward(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """What its joint network reads of a batch, none of which is hidden from it.

        Returns:
            [batch, T, hidden] and [batch] valid steps.
        """
        features, frames = self.features(batch.samples, batch.sample_lengths, batch.warp)
        encoded, steps = self.transducer.encoder(features, frames)
        return self.transducer.joint.enc(encoded.transpose(1, 2)), steps


def frozen_parts(model: Transducer, freeze: Frozen) -> tuple[nn.Module, ...]:
    """The modules that are not trained."""
    if freeze == "encoder":
        return (model.encoder,)
    return (model.decoder, model.joint) if freeze == "decoder" else ()


def add_dropout(model: Transducer, probability: float) -> None:
    """Let dropout act where NeMo's configuration has it, without touching the model's definition."""
    if not probability:
        return

    def drop(module: nn.Module, _: Any, out: Any) -> Any:
        first = out[0] if isinstance(out, tuple) else out
        dropped = functional.dropout(first, probability, module.training)
        return (dropped, *out[1:]) if isinstance(out, tuple) else dropped

    def drop_input(module: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        return (functional.dropout(inputs[0], probability, module.training), *inputs[1:])

    model.encoder.pre_encode.register_forward_hook(drop)
    for name, module in model.encoder.named_modules():
        if name.rpartition(".")[2] in (
            "feed_forward1",
            "feed_forward2",
            "self_attn",
            "conv",
        ) and name.startswith("layers."):
            module.register_forward_hook(drop)
    model.joint.output.register_forward_pre_hook(drop_input)


def fresh_transducer(config: TransducerConfig, seed: int) -> Transducer:
    """A model to train from the beginning; the same seed gives the same weights."""
    state = torch.random.get_rng_state()
    torch.manual_seed(seed)
    try:
        return Transducer(config)
    finally:
        torch.random.set_rng_state(state)
