"""From a manifest to batches on the training device, the same ones for the same seed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from parakeet_asr.records import FloatArray
from parakeet_asr.sources.audio_file import read_audio
from parakeet_asr_tools.train.augmentation import Augmentation, blocks, perturbed, warp_factor
from parakeet_asr_tools.train.manifest import Utterance

_PERTURB, _ORDER = 1, 2  # what a generator is for


@dataclass(frozen=True, slots=True)
class Example:
    """One utterance, perturbed."""

    samples: FloatArray  # [n]
    tokens: tuple[int, ...]
    warp: float
    blocks: FloatArray  # [k, 3]


@dataclass(frozen=True, slots=True)
class Batch:
    """Several utterances, padded with zeros."""

    samples: Tensor  # [batch, n] float32
    sample_lengths: Tensor  # [batch] int64
    targets: Tensor  # [batch, U] int64
    target_lengths: Tensor  # [batch] int64
    warp: Tensor  # [batch] float32
    blocks: Tensor  # [batch, k, 3] float32

    def to(self, device: torch.device) -> Batch:
        """The same on another device."""
        return Batch(
            *(getattr(self, name).to(device, non_blocking=True) for name in self.__dataclass_fields__)
        )


class Examples(Dataset[Example]):
    """Utterances by (epoch, index): what is drawn for them depends on these and the seed alone."""

    def __init__(
        self,
        utterances: Sequence[Utterance],
        tokens: Sequence[Sequence[int]],
        augmentation: Augmentation,
        seed: int,
    ) -> None:
        self._utterances = list(utterances)
        self._tokens = [tuple(ids) for ids in tokens]
        self._how = augmentation
        self._seed = seed

    def __len__(self) -> int:
        """How many utterances there are."""
        return len(self._utterances)

    def __getitem__(self, place: tuple[int, int]) -> Example:
        """The utterance at ``(epoch, index)``."""
        epoch, index = place
        random = np.random.default_rng((self._seed, _PERTURB, epoch, index))

        def others(count: int) -> list[FloatArray]:
            return [read_audio(self._utterances[i].audio) for i in random.integers(len(self), size=count)]

        samples = perturbed(read_audio(self._utterances[index].audio), self._how, others, random)
        return Example(
            samples, self._tokens[index], warp_factor(self._how, random), blocks(self._how, random)
        )


class Epochs:
    """Endless batches of (epoch, index), of similar durations, from any batch on."""

    def __init__(self, durations_s: Sequence[float], batch_s: float, max_utterances: int, seed: int) -> None:
        self._durations_s = np.asarray(durations_s, np.float64)
        self._batch_s, self._max_utterances = batch_s, max_utterances
        self._seed = seed

    def epoch(self, epoch: int) -> list[list[int]]:
        """The batches of an epoch: at most so many padded seconds (or one utterance) and utterances each."""
        random = np.random.default_rng((self._seed, _ORDER, epoch))
        # neighbours in duration, but not the same neighbours in every epoch
        order = np.argsort(self._durations_s * random.uniform(0.9, 1.1, len(self._durations_s)))
        batches: list[list[int]] = [[]]
        for index in order.tolist():
            longest_s = max(self._durations_s[[*batches[-1], index]])
            full = len(batches[-1]) >= self._max_utterances
            if batches[-1] and (full or longest_s * (len(batches[-1]) + 1) > self._batch_s):
                batches.append([])
            batches[-1].append(index)
        random.shuffle(batches)
        return batches

    def from_batch(self, first: int) -> Iterator[list[tuple[int, int]]]:
        """All batches behind the first ``first``, counted through the epochs."""
        epoch, behind = 0, first
        while True:
            batches = self.epoch(epoch)
            for batch in batches[behind:]:
                yield [(epoch, index) for index in batch]
            behind = max(0, behind - len(batches))
            epoch += 1


def collate(examples: Sequence[Example]) -> Batch:
    """Pad and stack."""
    return Batch(
        samples=_padded([torch.from_numpy(one.samples) for one in examples]),
        sample_lengths=torch.tensor([len(one.samples) for one in examples]),
        targets=_padded([torch.tensor(one.tokens, dtype=torch.int64) for one in examples]),
        target_lengths=torch.tensor([len(one.tokens) for one in examples]),
        warp=torch.tensor([one.warp for one in examples], dtype=torch.float32),
        blocks=torch.stack([torch.from_numpy(one.blocks) for one in examples]),
    )


def _padded(rows: list[Tensor]) -> Tensor:
    return torch.nn.utils.rnn.pad_sequence(rows, batch_first=True)


def batches(examples: Examples, epochs: Epochs, first: int, workers: int) -> Iterator[Batch]:
    """Batches from the given one on, made by ``workers`` processes (0: by this one)."""
    loader = DataLoader(
        examples,
        batch_sampler=_From(epochs, first),
        collate_fn=collate,
        num_workers=workers,
        pin_memory=torch.cuda.is_available(),
        prefetch_factor=4 if workers else None,
        generator=torch.Generator(),  # else it draws from the one that dropout uses, once per start
    )
    yield from loader


class _From:
    """What a DataLoader iterates over."""

    def __init__(self, epochs: Epochs, first: int) -> None:
        self._epochs, self._first = epochs, first

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        return self._epochs.from_batch(self._first)
