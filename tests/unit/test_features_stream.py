"""The same frames whatever the pieces."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parakeet_asr.core.feature_stream import FeatureStream
from parakeet_asr.core.features import FeatureExtractor
from parakeet_asr.core.log_mel import BLOCK_FRAMES, RECIPES
from parakeet_asr.core.model_spec import FeatureSpec
from parakeet_asr.core.spectrum import HOP_SAMPLES

GOLDEN = np.load(Path(__file__).parents[1] / "data" / "features_golden.npz")
SOUND = np.concatenate([GOLDEN[f"{name}.audio"] for name in ("speech", "chirp", "noise", "clip")])
BLOCK_SAMPLES = BLOCK_FRAMES * HOP_SAMPLES
TOLERANCE = 1e-5


def spec(recipe: str) -> FeatureSpec:
    return FeatureSpec(recipe, 128, "none")  # type: ignore[arg-type]


WHOLE = {name: FeatureExtractor(spec(name)) for name in RECIPES}
STREAMS = {name: FeatureStream(spec(name)) for name in RECIPES}

piece = st.one_of(
    st.integers(0, 3),
    st.integers(1, 2000),
    st.sampled_from([159, 160, 161, 399, 400, 401, BLOCK_SAMPLES - 1, BLOCK_SAMPLES, BLOCK_SAMPLES + 1]),
    st.integers(1, 4 * BLOCK_SAMPLES),
)


def streamed(stream: FeatureStream, sound: np.ndarray, pieces: list[int]) -> np.ndarray:
    """Push the pieces in turn, over and over, then flush."""
    frames, position, turn = [], 0, 0
    while position < len(sound):
        size = pieces[turn % len(pieces)]
        frames.append(stream.push(sound[position : position + size]))
        position += size
        turn += 1
    return np.concatenate([*frames, stream.flush()], axis=1)


@pytest.mark.parametrize("recipe", RECIPES)
@settings(max_examples=60, deadline=None)
@given(
    first=st.integers(0, 80_000),
    length=st.integers(0, 60_000),
    pieces=st.lists(piece, min_size=1, max_size=20).filter(lambda p: sum(p) > 200),
)
def test_any_split_gives_the_numbers_of_the_whole(
    recipe: str, first: int, length: int, pieces: list[int]
) -> None:
    sound = SOUND[first : first + length]
    found = streamed(STREAMS[recipe], sound, pieces)
    np.testing.assert_allclose(found, WHOLE[recipe].log_mel(sound), rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("recipe", RECIPES)
def test_one_sample_at_a_time(recipe: str) -> None:
    sound = SOUND[8000:11_333]
    found = streamed(FeatureStream(spec(recipe)), sound, [1])
    np.testing.assert_allclose(found, WHOLE[recipe].log_mel(sound), rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize(("recipe", "needed"), [("nemo", 200), ("rust", 400)])
def test_a_frame_comes_as_soon_as_its_last_sample(recipe: str, needed: int) -> None:
    stream = FeatureStream(spec(recipe))
    assert stream.push(SOUND[: needed - 1]).shape == (128, 0)
    assert stream.push(SOUND[needed - 1 : needed]).shape == (128, 1)
    assert stream.push(SOUND[needed : needed + 160]).shape == (128, 1)
    assert stream.frame_count == 2


def test_flush_begins_a_new_signal() -> None:
    stream = FeatureStream(spec("nemo"))
    expected = WHOLE["nemo"].log_mel(SOUND[:4000])
    for _ in range(2):
        np.testing.assert_allclose(streamed(stream, SOUND[:4000], [777]), expected, rtol=0, atol=TOLERANCE)
    stream.push(SOUND[4000:9999])
    stream.reset()
    np.testing.assert_allclose(streamed(stream, SOUND[:4000], [777]), expected, rtol=0, atol=TOLERANCE)
    assert stream.flush().shape == (128, 0)


def test_samples_that_are_no_sound_are_counted() -> None:
    stream = FeatureStream(spec("nemo"))
    sound = SOUND[:1600].copy()
    sound[[3, 700]] = np.nan
    sound[900] = -np.inf
    assert np.isfinite(stream.push(sound)).all()
    assert stream.replaced_samples == 3
    stream.reset()
    assert stream.replaced_samples == 0


def test_what_was_given_out_is_not_overwritten() -> None:
    stream = FeatureStream(spec("nemo"))
    first = stream.push(SOUND[:16_000])
    kept = first.copy()
    stream.push(SOUND[16_000:32_000])
    np.testing.assert_array_equal(first, kept)
