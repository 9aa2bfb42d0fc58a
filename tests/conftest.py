"""What tests of several folders share."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import settings

# A deadline is wall time: on a busy machine it fails tests in which nothing is wrong.
settings.register_profile("parakeet", deadline=None)
settings.load_profile("parakeet")

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def root() -> Path:
    """The root of the repository."""
    return ROOT
