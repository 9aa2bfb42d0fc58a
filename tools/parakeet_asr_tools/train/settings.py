"""Everything that decides how a training goes, besides the data and the model."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal

from parakeet_asr.errors import ConfigurationError
from parakeet_asr_tools.train.augmentation import Augmentation

Schedule = Literal["cosine", "noam", "constant"]
Precision = Literal["float32", "bfloat16"]
Frozen = Literal["nothing", "encoder", "decoder"]  # decoder: predictor and joint network


@dataclass(frozen=True, slots=True)
class Settings:
    """Defaults are those of fine-tuning on a CPU."""

    seed: int = 0
    steps: int = 500  # optimizer steps in all
    batch_s: float = 60.0  # padded seconds of a batch
    max_utterances: int = 32  # of a batch
    learning_rate: float = 2e-4  # the highest
    schedule: Schedule = "cosine"
    warmup_steps: int = 50
    final_share: float = 0.05  # of the learning rate, at the end of the cosine
    weight_decay: float = 1e-3
    clip_norm: float = 5.0
    ema_decay: float = 0.99  # of the weights that are evaluated and written; 0: the last ones
    precision: Precision = "float32"
    device: str = "cpu"
    dropout: float = 0.1
    freeze: Frozen = "nothing"  # what is not trained, and has no dropout
    freeze_norm: bool = False  # keep the statistics of batch norms as they are
    ctc_weight: float = 0.0  # of the CTC helper on the encoder, dropped afterwards
    teacher_weight: float = 0.0  # of the distance to the teacher's encoder
    sigma: float = 0.02  # of the TDT loss
    omega: float = 0.1  # share of batches that take the RNNT loss of the same model
    workers: int = 0  # processes that make batches
    joint_cells: int = 60_000_000  # logits held at a time; larger batches are joined in parts
    log_every: int = 10
    checkpoint_every: int = 200
    eval_every: int = 0  # 0: at the end only
    augmentation: Augmentation = field(default_factory=Augmentation)

    def __post_init__(self) -> None:
        """Refuse what cannot be meant."""
        for name, low, high in (
            ("steps", 1, None), ("batch_s", 0.1, None), ("max_utterances", 1, None), ("learning_rate", 0, 1),
            ("warmup_steps", 0, None), ("final_share", 0, 1), ("weight_decay", 0, 1),
            ("ema_decay", 0, 0.999999), ("dropout", 0, 0.9), ("ctc_weight", 0, None),
            ("teacher_weight", 0, None), ("sigma", 0, 1),
            ("omega", 0, 1), ("workers", 0, None), ("log_every", 1, None), ("checkpoint_every", 1, None),
        ):  # fmt: skip
            value = getattr(self, name)
            if value < low or (high is not None and value > high):
                upper = "" if high is None else f" and at most {high}"
                raise ConfigurationError(f"{name}: expected at least {low}{upper}, got {value}")

    def learning_rate_at(self, step: int) -> float:
        """Of optimizer step ``step``, counted from 0: linear warm-up, then the schedule.

        Noam's (Vaswani et al., arXiv 1706.03762, section 5.3) is scaled to have its peak there.
        """
        if step < self.warmup_steps:
            return self.learning_rate * (step + 1) / self.warmup_steps
        if self.schedule == "constant":
            return self.learning_rate
        if self.schedule == "noam":
            return self.learning_rate * math.sqrt(max(1, self.warmup_steps) / (step + 1))
        share = (step - self.warmup_steps) / max(1, self.steps - self.warmup_steps)
        cosine = 0.5 * (1.0 + math.cos(math.pi * min(1.0, share)))
        return self.learning_rate * (self.final_share + (1.0 - self.final_share) * cosine)
