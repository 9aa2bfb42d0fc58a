"""Sets of session options under a name; the numbers behind them are in docs/streaming.md."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from parakeet_asr.core.session import SessionOptions
from parakeet_asr.errors import ConfigurationError

PROFILES: Mapping[str, SessionOptions] = MappingProxyType(
    {
        # The first words fast: a look every 0.32 s, words stable some 2 s after they were said.
        "robot": SessionOptions(),
        # Little computing (Jetson Nano): short windows, a look every second. Finals are the same.
        "nano": SessionOptions(left_s=4.0, chunk_s=2.0, right_s=2.0, partial_interval_s=0.96),
    }
)


def profile(name: str) -> SessionOptions:
    """The options of that name; ``dataclasses.replace`` changes single ones.

    Raises:
        ConfigurationError: there is no such profile.
    """
    try:
        return PROFILES[name]
    except KeyError:
        raise ConfigurationError(f"profile: expected one of {', '.join(PROFILES)}, got {name!r}") from None
