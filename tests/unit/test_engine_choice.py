"""Which engine runs which model."""

from __future__ import annotations

from pathlib import Path

import pytest

from parakeet_asr.core.choices import ENGINES
from parakeet_asr.engine_choice import EngineRequest, automatic_engine, open_engine
from parakeet_asr.errors import ConfigurationError, ModelNotFoundError


@pytest.mark.parametrize(
    ("model", "engine"),
    [("demo", "ort"), ("some/folder", "ort"), ("model.nemo", "torch"), ("~/m.nemo", "torch")],
)
def test_the_kind_of_model_chooses_the_engine(model: str, engine: str) -> None:
    assert automatic_engine(EngineRequest(model)) == engine


def test_a_folder_that_is_called_like_an_archive_is_a_folder(tmp_path: Path) -> None:
    folder = tmp_path / "models.nemo"
    folder.mkdir()
    assert automatic_engine(EngineRequest(folder)) == "ort"
    with pytest.raises(ModelNotFoundError):
        open_engine("auto", EngineRequest(folder))


def test_an_engine_that_reads_directories_says_what_to_do_with_an_archive() -> None:
    with pytest.raises(ConfigurationError, match="parakeet-asr-tools export"):
        open_engine("ort", EngineRequest("model.nemo"))


def test_an_unknown_engine_is_answered_with_those_there_are() -> None:
    with pytest.raises(ConfigurationError, match=", ".join(ENGINES)):
        open_engine("abacus", EngineRequest("demo"))  # type: ignore[arg-type]
