"""Features against NeMo 2.6.2 and the Rust extractor, and what becomes of unusual input."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from parakeet_asr.core.features import FeatureExtractor, normalize_per_feature
from parakeet_asr.core.log_mel import RECIPES
from parakeet_asr.core.model_spec import FeatureSpec
from parakeet_asr.errors import AudioFormatError

GOLDEN = np.load(Path(__file__).parents[1] / "data" / "features_golden.npz")
SIGNALS = ("speech", "chirp", "noise", "silence", "clip", "short")
TOLERANCE = 2e-4
# The golden numbers were themselves computed in single precision. Where a band lies far below the loudest
# one of its frame they show the rounding of their FFT: against the same computation in double precision
# NeMo's chirp is off by 1.8e-3 and its clipped tone by 4e-4. So a value may, beyond TOLERANCE, be off by
# what an error of one float32 epsilon in the spectrum, relative to the loudest amplitude, makes of it.
EPSILON = 2.0**-23
CLEAN = ("speech", "noise", "silence", "short")  # the signals whose golden numbers are free of it


def extractor(
    recipe: str, normalize: str = "none", mels: int = 128, precision: str = "auto"
) -> FeatureExtractor:
    return FeatureExtractor(FeatureSpec(recipe, mels, normalize), precision=precision)  # type: ignore[arg-type]


def allowance(log_mel: np.ndarray, floor: float) -> np.ndarray:
    """TOLERANCE, and what EPSILON in the spectrum amounts to: [frames, mels]."""
    total = np.exp(log_mel.astype(np.float64))
    energy = np.maximum(total - floor, 0.0)
    noise = EPSILON * np.sqrt(energy.max(axis=1, keepdims=True))
    return TOLERANCE + ((np.sqrt(energy) + noise) ** 2 - energy) / total


@pytest.mark.parametrize("precision", ["single", "double"])
@pytest.mark.parametrize("signal", SIGNALS)
@pytest.mark.parametrize("recipe", RECIPES)
def test_log_mel_equals_the_reference(recipe: str, signal: str, precision: str) -> None:
    expected = GOLDEN[f"{signal}.{recipe}"]
    found = extractor(recipe, precision=precision).log_mel(GOLDEN[f"{signal}.audio"]).T
    assert found.shape == expected.shape
    error = np.abs(found - expected)
    assert np.all(error <= allowance(expected, RECIPES[recipe].floor)), error.max()
    assert np.quantile(error, 0.97) <= TOLERANCE


@pytest.mark.parametrize("signal", CLEAN)
@pytest.mark.parametrize("recipe", RECIPES)
def test_every_number_is_within_the_tolerance_in_double_precision(recipe: str, signal: str) -> None:
    found = extractor(recipe, precision="double").log_mel(GOLDEN[f"{signal}.audio"]).T
    np.testing.assert_allclose(found, GOLDEN[f"{signal}.{recipe}"], rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("signal", ["speech", "chirp", "noise", "clip", "short"])
def test_normalised_features_equal_nemo(signal: str) -> None:
    found = extractor("nemo", "per_feature").extract(GOLDEN[f"{signal}.audio"]).T
    np.testing.assert_allclose(found, GOLDEN[f"{signal}.nemo_norm"], rtol=0, atol=1e-3)


def test_normalised_features_equal_the_rust_extractor() -> None:
    found = extractor("rust", "per_feature").extract(GOLDEN["speech.audio"]).T
    expected = GOLDEN["speech.rust_norm"]
    # A band narrower than a bin is constant: its reference is a rounding error over 1e-5, ours is 0.
    constant = np.ptp(GOLDEN["speech.rust"], axis=0) == 0
    assert constant.any()
    assert not found[:, constant].any()
    np.testing.assert_allclose(found[:, ~constant], expected[:, ~constant], rtol=0, atol=5e-4)


@pytest.mark.parametrize(("recipe", "floor"), [("nemo", np.log(2.0**-24)), ("rust", np.log(1e-5))])
def test_silence_is_the_floor_and_normalises_to_zero(recipe: str, floor: float) -> None:
    silence = np.zeros(16_000, np.float32)
    np.testing.assert_allclose(extractor(recipe).log_mel(silence), floor, rtol=1e-6)
    assert not extractor(recipe, "per_feature").extract(silence).any()


@pytest.mark.parametrize(
    ("recipe", "samples", "frames"),
    [
        ("nemo", 0, 0),
        ("nemo", 1, 0),
        ("nemo", 159, 0),
        ("nemo", 160, 1),
        ("nemo", 16_000, 100),
        ("nemo", 16_001, 100),
        ("rust", 0, 0),
        ("rust", 399, 0),
        ("rust", 400, 1),
        ("rust", 559, 1),
        ("rust", 560, 2),
    ],
)
def test_frame_count(recipe: str, samples: int, frames: int) -> None:
    features = extractor(recipe)
    assert features.frame_count(samples) == frames
    found = features.extract(np.full(samples, 0.1, np.float32))
    assert found.shape == (128, frames)
    assert found.dtype == np.float32
    assert found.flags.c_contiguous


@pytest.mark.parametrize("recipe", RECIPES)
def test_one_frame_normalises_to_zero(recipe: str) -> None:
    one = GOLDEN["speech.audio"][20_000:20_400]
    log_mel = extractor(recipe).log_mel(one)[:, :1]
    assert not normalize_per_feature(log_mel).any()


@pytest.mark.parametrize("nonsense", [np.nan, np.inf, -np.inf, 1e30])
def test_samples_that_are_no_sound_become_silence(nonsense: float) -> None:
    speech = GOLDEN["speech.audio"].copy()
    speech[[0, 5000, 5001, 70_366]] = 0.0
    expected = extractor("nemo", "per_feature").extract(speech)
    speech[[0, 5000, 5001, 70_366]] = nonsense
    np.testing.assert_array_equal(extractor("nemo", "per_feature").extract(speech), expected)


def test_clipped_and_loud_sound_is_used_as_it_is() -> None:
    loud = GOLDEN["speech.audio"] * np.float32(32768.0)
    shift = extractor("nemo").log_mel(loud)[64] - extractor("nemo").log_mel(GOLDEN["speech.audio"])[64]
    assert np.isfinite(shift).all()
    assert shift.max() == pytest.approx(2 * np.log(32768.0), abs=0.01)


@pytest.mark.parametrize(
    "samples", [np.zeros((2, 400), np.float32), np.zeros(400, np.int16), np.zeros(400, np.complex64)]
)
def test_anything_but_a_vector_of_floats_is_refused(samples: np.ndarray) -> None:
    with pytest.raises(AudioFormatError, match="vector of floats"):
        extractor("nemo").extract(samples)


def test_double_precision_is_accepted_and_the_input_is_untouched() -> None:
    speech = GOLDEN["speech.audio"].astype(np.float64)
    before = speech.copy()
    found = extractor("nemo").log_mel(speech)
    np.testing.assert_array_equal(found, extractor("nemo").log_mel(GOLDEN["speech.audio"]))
    np.testing.assert_array_equal(speech, before)


def test_an_extractor_keeps_nothing_between_signals() -> None:
    features = extractor("nemo")
    expected = features.extract(GOLDEN["noise.audio"])
    features.extract(GOLDEN["speech.audio"])
    np.testing.assert_array_equal(features.extract(GOLDEN["noise.audio"]), expected)


def test_other_band_counts() -> None:
    for mels in (40, 64, 80, 100):
        found = extractor("nemo", mels=mels).log_mel(GOLDEN["noise.audio"])
        assert found.shape == (mels, 150)
        assert np.isfinite(found).all()
