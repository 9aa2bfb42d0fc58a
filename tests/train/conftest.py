"""A model small enough to be trained in a test, and the samples that it is trained on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from parakeet_asr_tools.making.presets import Preset
    from parakeet_asr_tools.train.archive import Origin
    from parakeet_asr_tools.train.manifest import Utterance
    from parakeet_asr_tools.train.trainer import Trainer

MakeOrigin = Callable[..., "Origin"]
MakeTrainer = Callable[..., "Trainer"]


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Small matrices gain nothing from more, and beside other work threads wait for each other."""
    torch = pytest.importorskip("torch")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def utterances(root: Path) -> list[Utterance]:
    """The ten shortest samples, 24 seconds."""
    from parakeet_asr_tools.train.manifest import read_manifest

    rows = read_manifest(root / "examples" / "samples" / "manifest.jsonl")
    return sorted(rows, key=lambda row: row.duration_s)[:10]


@pytest.fixture(scope="session")
def make_origin(utterances: list[Utterance]) -> MakeOrigin:
    """A model of random weights whose tokenizer writes the samples' texts; a very small one by default."""
    from parakeet_asr_tools.making.presets import Preset
    from parakeet_asr_tools.train.archive import from_preset, train_tokenizer

    minute = Preset(1, 16, 2, 4, 16, 16, 64, mels=16, predictor_layers=1)

    def make(preset: Preset = minute, decoder: Any = "tdt", seed: int = 1) -> Origin:
        return from_preset(preset, decoder, train_tokenizer([row.text for row in utterances], 64), seed)

    return make


@pytest.fixture
def make_trainer(tmp_path: Path, utterances: list[Utterance], make_origin: MakeOrigin) -> MakeTrainer:
    """A training of three utterances; keywords are those of Settings."""
    from parakeet_asr_tools.train.settings import Settings
    from parakeet_asr_tools.train.trainer import Data, Trainer

    def make(name: str, *, origin: Origin | None = None, rows: int = 3, **settings: Any) -> Trainer:
        given = {"steps": 6, "log_every": 1, "warmup_steps": 2, "learning_rate": 1e-3, "batch_s": 6.0}
        data = Data(utterances[:rows], utterances[:rows])
        return Trainer(origin or make_origin(), data, Settings(**{**given, **settings}), tmp_path / name)

    return make
