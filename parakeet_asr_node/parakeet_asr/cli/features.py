"""``parakeet-asr features``: an audio file to a NumPy file."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np

from parakeet_asr.core.features import FeatureExtractor
from parakeet_asr.core.model_spec import FeatureSpec
from parakeet_asr.errors import ConfigurationError
from parakeet_asr.sources.audio_file import read_audio


def write_features(
    audio: Path, out: Path, recipe: Literal["nemo", "rust"], mels: int, normalize: bool
) -> None:
    """Write [frames, mels] float32 to ``out``, computed in double precision: this is for comparing.

    Raises:
        AudioReadError: the audio cannot be decoded.
        ConfigurationError: ``out`` cannot be written.
    """
    spec = FeatureSpec(recipe, mels, "per_feature" if normalize else "none")
    features = FeatureExtractor(spec, precision="double").extract(read_audio(audio))
    try:
        with out.open("wb") as file:  # a file, because np.save would add .npy to another name
            np.save(file, np.ascontiguousarray(features.T))
    except OSError as error:
        raise ConfigurationError(
            f"--out: expected a file that can be written, found {out} ({error.strerror}); name another"
        ) from error
