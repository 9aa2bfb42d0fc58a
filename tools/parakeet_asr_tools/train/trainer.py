"""The loop: batches in, weights out; stopped at any step it goes on as if it had not been."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from parakeet_asr.engines.pytorch.model.transducer import Transducer
from parakeet_asr.errors import ConfigurationError
from parakeet_asr.tokenization import SentencePieceTokenizer
from parakeet_asr_tools.train.archive import Origin, rounded_to_float16
from parakeet_asr_tools.train.batches import Epochs, Examples, batches
from parakeet_asr_tools.train.evaluation import transcribe
from parakeet_asr_tools.train.loss import Losses
from parakeet_asr_tools.train.manifest import Utterance
from parakeet_asr_tools.train.model import Teacher, Trainee
from parakeet_asr_tools.train.optimization import MovingAverage, make_optimizer
from parakeet_asr_tools.train.settings import Settings
from parakeet_asr_tools.train.word_errors import Heard, Score, scores, write_transcripts

CHECKPOINT = "checkpoint.pt"
MODEL = "model.nemo"
LOG = "log.jsonl"
_TRANSDUCER = "transducer."
_MAY_CHANGE = ("device", "workers", "joint_cells", "log_every", "checkpoint_every", "eval_every")


@dataclass(frozen=True, slots=True)
class Data:
    """What is trained on, and the sets that are evaluated."""

    train: Sequence[Utterance]
    held_out: Sequence[Utterance] = ()


class Observer:
    """Is told how it goes; this one does not care."""

    def step(
        self, step: int, losses: Mapping[str, float], learning_rate: float, gradient_norm: float
    ) -> None:
        """After ``log_every`` optimizer steps: the mean losses since the last time."""

    def evaluated(self, step: int, found: Mapping[str, Score]) -> None:
        """After an evaluation of the averaged weights."""


class Trainer:
    """One training in one folder."""

    def __init__(
        self,
        origin: Origin,
        data: Data,
        settings: Settings,
        folder: Path,
        *,
        teacher: Transducer | None = None,
        observer: Observer | None = None,
    ) -> None:
        """Prepare; nothing is trained yet.

        Raises:
            ConfigurationError: a text cannot be written with the tokenizer, or the teacher does not fit.
        """
        self.settings, self.folder, self._data = settings, folder, data
        self._origin, self.observer = origin, observer or Observer()
        self._device = torch.device(settings.device)
        folder.mkdir(parents=True, exist_ok=True)
        self.tokenizer = self._write_tokenizer()
        torch.manual_seed(settings.seed)
        self.model = Trainee(origin.transducer, settings).to(self._device)
        self._teacher = self._prepared(teacher)
        self._optimizer = make_optimizer(self.model, settings)
        self._average = MovingAverage(self.model, settings.ema_decay)
        tokens = [self._ids(row) for row in data.train]
        self._examples = Examples(data.train, tokens, settings.augmentation, settings.seed)
        durations_s = [row.duration_s for row in data.train]
        self._epochs = Epochs(durations_s, settings.batch_s, settings.max_utterances, settings.seed)
        self.steps_done = 0
        self.skipped = 0  # steps whose gradient was no number

    def run(self, stop_after: int | None = None) -> None:
        """Train up to ``settings.steps``, or ``stop_after`` more steps if that comes first."""
        settings = self.settings
        last = settings.steps if stop_after is None else min(settings.steps, self.steps_done + stop_after)
        if self.steps_done >= last:
            return
        self.model.train()
        window: list[Tensor] = []
        for batch in batches(self._examples, self._epochs, self.steps_done, settings.workers):
            losses, norm = self._step(batch.to(self._device))
            window.append(losses)
            if self.steps_done % settings.log_every == 0 or self.steps_done == last:
                self._report(torch.stack(window).mean(dim=0).tolist(), norm)
                window.clear()
            if self.steps_done % settings.checkpoint_every == 0 or self.steps_done == last:
                self.save()
            if settings.eval_every and self.steps_done % settings.eval_every == 0 and self.steps_done < last:
                self.evaluate()
            if self.steps_done >= last:
                return

    def _step(self, batch: Any) -> tuple[Tensor, Tensor]:
        """One optimizer step; the losses and the norm of the gradient stay on the device."""
        settings = self.settings
        for group in self._optimizer.param_groups:
            group["lr"] = settings.learning_rate_at(self.steps_done)
        with_durations = bool(torch.rand(()) >= settings.omega)
        contexts = self._origin.transducer.config.encoder.attention_contexts_steps
        context = contexts[int(torch.randint(len(contexts), ())) if len(contexts) > 1 else 0]
        losses: Losses = self.model(batch, self._teacher, with_durations=with_durations, context=context)
        self._optimizer.zero_grad(set_to_none=True)
        losses.total.backward()  # type: ignore[no-untyped-call]
        norm = nn.utils.clip_grad_norm_(self.model.parameters(), settings.clip_norm)
        if torch.isfinite(norm):
            self._optimizer.step()
            self._average.update(self.model)
        else:
            self.skipped += 1
        self.steps_done += 1
        return losses.stacked(), norm

    def _report(self, means: list[float], norm: Tensor) -> None:
        found = dict(zip(Losses.names(), means, strict=True))
        rate = self.settings.learning_rate_at(self.steps_done - 1)
        self._log(step=self.steps_done, losses=found, learning_rate=rate, gradient_norm=float(norm))
        self.observer.step(self.steps_done, found, rate, float(norm))

    # --- results --------------------------------------------------------------------------------

    def weights(self) -> dict[str, Tensor]:
        """The weights that are evaluated and written: the averaged ones."""
        source = self._average.state if self.settings.ema_decay else self.model.state_dict()
        return {k.removeprefix(_TRANSDUCER): v for k, v in source.items() if k.startswith(_TRANSDUCER)}

    def evaluate(self) -> Mapping[str, Score]:
        """Word error rate per held-out set with the averaged weights."""
        heard = self.transcribe(self._data.held_out)
        found = scores(heard)
        write_transcripts(self.folder / "transcripts.jsonl", heard)
        self._log(step=self.steps_done, word_error_rate={k: v.word_error_rate for k, v in found.items()})
        self.observer.evaluated(self.steps_done, found)
        return found

    def transcribe(self, utterances: Sequence[Utterance]) -> list[Heard]:
        """What the averaged weights hear."""
        current = {k: v.clone() for k, v in self.model.transducer.state_dict().items()}
        self.model.transducer.load_state_dict(self.weights())
        try:
            return transcribe(self.model.transducer, self.tokenizer, utterances)
        finally:
            self.model.transducer.load_state_dict(current)
            self.model.train(self.model.training)  # puts what is frozen to rest again

    def write(self, *, float16: bool = False) -> Path:
        """Write the averaged weights as a ``.nemo``; with ``float16``, rounded and half the size."""
        path = self.folder / MODEL
        self._origin.write(path, rounded_to_float16(self.weights()) if float16 else self.weights())
        return path

    # --- going on later -------------------------------------------------------------------------

    def save(self) -> None:
        """Everything that the next step depends on."""
        state = {
            "settings": self._identity(),
            "steps_done": self.steps_done,
            "skipped": self.skipped,
            "model": self.model.state_dict(),
            "average": self._average.state,
            "average_updates": self._average.updates,
            "optimizer": self._optimizer.state_dict(),
            "random": torch.random.get_rng_state(),
            "random_device": torch.cuda.get_rng_state() if self._device.type == "cuda" else None,
        }
        path = self.folder / CHECKPOINT
        torch.save(state, path.with_suffix(".part"))
        path.with_suffix(".part").replace(path)

    def resume(self) -> None:
        """Go on where the folder's checkpoint was written.

        Raises:
            ConfigurationError: there is none, or it is of a training with other settings or data.
        """
        path = self.folder / CHECKPOINT
        if not path.is_file():
            raise ConfigurationError(
                f"{path}: expected a checkpoint to go on from, found none; leave --resume out"
            )
        state = torch.load(path, map_location=self._device, weights_only=True)
        if state["settings"] != self._identity():
            raise ConfigurationError(
                f"{path}: was written by a training with other settings or utterances; take a new --out"
            )
        self.model.load_state_dict(state["model"])
        self._average.state = state["average"]
        self._average.updates = state["average_updates"]
        self._optimizer.load_state_dict(state["optimizer"])
        self.steps_done, self.skipped = state["steps_done"], state["skipped"]
        torch.random.set_rng_state(state["random"].cpu())
        if state["random_device"] is not None:
            torch.cuda.set_rng_state(state["random_device"].cpu())

    def _identity(self) -> str:
        """What must be the same for a checkpoint to fit."""
        settings = dataclasses.asdict(self.settings)
        for name in _MAY_CHANGE:
            del settings[name]
        utterances = [(row.text, row.duration_s) for row in self._data.train]
        text = json.dumps([settings, utterances, self._teacher is not None])
        return hashlib.sha256(text.encode()).hexdigest()

    # --- helpers --------------------------------------------------------------------------------

    def _ids(self, row: Utterance) -> list[int]:
        ids = self.tokenizer.encode(row.text)
        if 0 in ids:
            raise ConfigurationError(
                f"{row.audio}: the tokenizer cannot write all of {row.text!r}; spell it with its letters"
            )
        return ids

    def _write_tokenizer(self) -> SentencePieceTokenizer:
        path = self.folder / "tokenizer.model"
        path.write_bytes(self._origin.tokenizer)
        return SentencePieceTokenizer(path, self._origin.transducer.config.vocabulary_size)

    def _prepared(self, teacher: Transducer | None) -> Teacher | None:
        if teacher is None:
            return None
        ours, theirs = self._origin.transducer.config.joint.hidden, teacher.config.joint.hidden
        if ours != theirs:
            raise ConfigurationError(
                f"teacher: expected a joint network as wide as the model's ({ours}), it has {theirs}"
            )
        return Teacher(teacher).to(self._device)

    def _log(self, **row: Any) -> None:
        row["time"] = round(time.time(), 1)
        with (self.folder / LOG).open("a", encoding="utf-8") as out:
            out.write(json.dumps(row) + "\n")
