"""Perturbations do what they say, always the same for the same seed; features are the runtime's."""

from __future__ import annotations

import json

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("parakeet_asr_tools")

from parakeet_asr.core.features import FeatureExtractor  # noqa: E402
from parakeet_asr.core.model_spec import FeatureSpec  # noqa: E402
from parakeet_asr.errors import ConfigurationError  # noqa: E402
from parakeet_asr.nemo.config import PreprocessorConfig  # noqa: E402
from parakeet_asr.sources.audio_file import read_audio  # noqa: E402
from parakeet_asr_tools.cli import main  # noqa: E402
from parakeet_asr_tools.train import augmentation as augment  # noqa: E402
from parakeet_asr_tools.train.batches import Epochs, Examples, collate  # noqa: E402
from parakeet_asr_tools.train.features import BatchFeatures, mask_blocks, warped  # noqa: E402
from parakeet_asr_tools.train.manifest import read_manifest, split, write_manifest  # noqa: E402
from parakeet_asr_tools.train.robot_commands import sentences  # noqa: E402


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def level(x) -> float:
    return float(np.sqrt(np.mean(np.square(x, dtype=np.float64))))


def tone(hz: float, seconds: float = 1.0) -> np.ndarray:
    return (0.3 * np.sin(2 * np.pi * hz * np.arange(int(16000 * seconds)) / 16000)).astype(np.float32)


def loudest_hz(x) -> float:
    return float(np.abs(np.fft.rfft(x * np.hanning(len(x)))).argmax() * 16000 / len(x))


def test_speed() -> None:
    fast = augment.resped(tone(1000), 1.1)
    assert len(fast) == pytest.approx(16000 / 1.1, abs=2)
    assert loudest_hz(fast) == pytest.approx(1100, abs=2)


@pytest.mark.parametrize("snr_db", [-5.0, 10.0])
def test_noise_has_the_level_that_was_asked_for(snr_db: float) -> None:
    speech = tone(440)
    noise = augment.mixed(speech, augment.coloured_noise(16000, 1.0, rng()), snr_db) - speech
    assert 20 * np.log10(level(speech) / level(noise)) == pytest.approx(snr_db, abs=0.1)
    assert np.array_equal(augment.mixed(speech, np.zeros(16000, np.float32), 0.0), speech)


def test_noise_has_a_colour() -> None:
    white, brown = (augment.coloured_noise(1 << 15, exponent, rng()) for exponent in (0.0, 2.0))
    share = [np.square(np.abs(np.fft.rfft(x)))[: 1 << 12].sum() / (level(x) ** 2) for x in (white, brown)]
    assert share[1] > 2 * share[0]  # a quarter of the band holds most of the energy


def test_a_room_answers_behind_the_sound_and_keeps_level_and_length() -> None:
    click = np.zeros(16000, np.float32)
    click[1000] = 1.0
    wet = augment.in_a_room(click, 0.3, rng())
    assert len(wet) == len(click)
    assert level(wet) == pytest.approx(level(click), rel=1e-5)
    assert np.abs(wet[:999]).max() < 1e-6
    early, late = level(wet[1032:2600]), level(wet[4200:5800])
    assert early > 10 * late > 0  # 0.2 s of 0.3 s later: 40 dB less, on average


def test_babble_is_of_others() -> None:
    speech = tone(440)
    out = augment.perturbed(
        speech, augment.Augmentation(speed=0, reverb=0, noise=0, babble=1, gain_db=(0, 0)),
        lambda count: [tone(2000)] * count, rng(),
    )  # fmt: skip
    spectrum = np.abs(np.fft.rfft(out))
    assert spectrum[2000] > 100 * spectrum[3000]


def test_the_same_seed_gives_the_same_sound_in_any_order(utterances) -> None:
    examples = Examples(utterances, [[1, 2]] * len(utterances), augment.Augmentation(), seed=7)
    first, second = examples[0, 3], examples[1, 3]
    again = examples[0, 3]
    assert np.array_equal(first.samples, again.samples)
    assert (first.warp, first.blocks.tolist()) == (again.warp, again.blocks.tolist())
    assert not np.array_equal(first.samples, second.samples[: len(first.samples)])
    batch = collate([first, second])
    assert batch.samples.shape == (2, max(len(first.samples), len(second.samples)))


@pytest.mark.parametrize("normalize", ["per_feature", "none"])
def test_features_are_the_runtimes(utterances, normalize) -> None:
    sounds = [read_audio(row.audio) for row in utterances[:3]]
    batch = torch.nn.utils.rnn.pad_sequence([torch.from_numpy(s) for s in sounds], batch_first=True)
    config = PreprocessorConfig(mels=80, normalize=normalize)
    found, frames = BatchFeatures(config)(batch, torch.tensor([len(s) for s in sounds]))
    extractor = FeatureExtractor(FeatureSpec("nemo", 80, normalize))
    for i, sound in enumerate(sounds):
        expected = extractor.extract(sound)
        assert int(frames[i]) == expected.shape[1]
        error = np.abs(found[i, :, : expected.shape[1]].numpy() - expected)
        assert np.quantile(error, 0.99) < 2e-3
        assert not found[i, :, expected.shape[1] :].any()


def test_a_warp_moves_a_tone_and_keeps_the_edge() -> None:
    power = torch.zeros(2, 257, 1)
    power[:, 64] = power[:, 256] = 1.0
    moved = warped(power, torch.tensor([1.0, 1.1]))
    assert torch.equal(moved[0], power[0])
    assert int(moved[1, :128].argmax()) == 70
    assert moved[1, 256] == 1.0


def test_masks_hide_bands_and_stretches() -> None:
    blocks = torch.tensor([[[0, 0.2, 0.4], [1, 0.5, 0.75]]])
    hidden = mask_blocks(torch.ones(1, 10, 20), blocks, torch.tensor([-2.0]))
    assert (hidden[0, 2:4] == -2).all()
    assert (hidden[0, :, 10:15] == -2).all()
    assert (hidden == 1).sum() == 8 * 15


def test_batches_hold_every_utterance_once_and_go_on_anywhere() -> None:
    durations = [1.0, 2.0, 3.0, 4.0, 5.0, 9.0, 1.0]
    epochs = Epochs(durations, batch_s=8.0, max_utterances=3, seed=1)
    batches = epochs.epoch(0)
    assert sorted(i for batch in batches for i in batch) == list(range(7))
    assert all(max(durations[i] for i in b) * len(b) <= 8.0 or len(b) == 1 for b in batches)
    stream = epochs.from_batch(0)
    straight = [next(stream) for _ in range(2 * len(batches) + 3)]
    for first in (1, len(batches), len(batches) + 2):
        assert next(epochs.from_batch(first)) == straight[first]
    assert epochs.epoch(0) != epochs.epoch(1)


def test_manifests(tmp_path, utterances) -> None:
    path = tmp_path / "a.jsonl"
    write_manifest(path, utterances)
    assert read_manifest(path) == utterances
    path.write_text(json.dumps({"audio_filepath": "x.wav", "duration": 1, "text": "Go."}) + "\n\n")
    (row,) = read_manifest(path)
    assert (row.audio, row.text, row.duration_s, row.group) == (tmp_path / "x.wav", "Go.", 1.0, "a")
    for text, said in (("", "found none"), ("{}", "line 1: expected an object"), ("[1", "line 1: expected")):
        path.write_text(text)
        with pytest.raises(ConfigurationError, match=said):
            read_manifest(path)
    rest, held_out = split(utterances * 2, 5)
    assert len(held_out) >= 3
    assert len(rest) + len(held_out) == 20
    write_manifest(path, utterances)
    parts = [tmp_path / "parts" / name for name in ("train.jsonl", "held_out.jsonl")]
    assert main(["split", str(path), *map(str, parts), "--every", "2"]) == 0
    divided = [row.audio for part in parts for row in read_manifest(part)]
    assert sorted(divided) == sorted(row.audio for row in utterances)
    assert len(read_manifest(parts[1])) >= 2
    assert main(["split", str(path), *map(str, parts), "--every", "1"]) == 1


def test_commands_for_robots_are_different_and_the_same_again() -> None:
    texts = sentences(300, seed=3)
    assert len(set(texts)) == 300
    assert texts == sentences(300, seed=3) != sentences(300, seed=4)
    assert all(text[0].isupper() and text[-1] in ".?" and "{" not in text for text in texts)
