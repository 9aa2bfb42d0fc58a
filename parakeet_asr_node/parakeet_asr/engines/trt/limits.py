"""What a machine allows: named profiles, and the environment variables that change them.

Everything that builds or opens an engine asks :func:`machine_limits`; nothing else reads these variables.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

from parakeet_asr.errors import ConfigurationError

Precision = Literal["fp32", "fp16", "bf16"]
PRECISIONS: tuple[Precision, ...] = get_args(Precision)

FRAMES_PER_S = 100
_MARGIN_S = 1.0  # an utterance is given to the encoder with what was before and after it


@dataclass(frozen=True, slots=True)
class MachineLimits:
    """Sizes that an engine is built for."""

    precision: Precision
    max_batch: int  # utterances at once; 1 for one microphone
    max_utterance_s: float  # longest audio that goes through the encoder in one piece
    workspace_mb: int  # scratch memory that a kernel may use while the engine is built and runs

    @property
    def max_frames(self) -> int:
        """Longest input of the encoder."""
        return round((self.max_utterance_s + _MARGIN_S) * FRAMES_PER_S)


# Orin Nano shows 7619 MB, of which a desktop, ROS 2 and a TTS take about half: docs/jetson.md has the sums.
MACHINE_PROFILES: dict[str, MachineLimits] = {
    "orin-nano-8gb": MachineLimits("fp16", max_batch=1, max_utterance_s=20.0, workspace_mb=256),
    "orin-nx-16gb": MachineLimits("fp16", max_batch=2, max_utterance_s=30.0, workspace_mb=512),
    "agx-orin": MachineLimits("fp16", max_batch=8, max_utterance_s=40.0, workspace_mb=1024),
    "desktop": MachineLimits("fp16", max_batch=8, max_utterance_s=40.0, workspace_mb=2048),
}
DEFAULT_PROFILE = "orin-nano-8gb"  # the smallest: what is built for it runs everywhere


@dataclass(frozen=True, slots=True)
class _Variable:
    """One environment variable."""

    field: str
    read: Callable[[str], Any]
    expected: str
    is_valid: Callable[[Any], bool]


ENVIRONMENT: dict[str, _Variable] = {
    "PARAKEET_PRECISION": _Variable(
        "precision", str, f"one of {', '.join(PRECISIONS)}", PRECISIONS.__contains__
    ),
    "PARAKEET_MAX_BATCH": _Variable("max_batch", int, "1 to 64", lambda n: 1 <= n <= 64),
    "PARAKEET_MAX_UTTERANCE_S": _Variable("max_utterance_s", float, "2 to 300", lambda s: 2 <= s <= 300),
    "PARAKEET_WORKSPACE_MB": _Variable("workspace_mb", int, "16 to 65536", lambda n: 16 <= n <= 65536),
}


def machine_limits(
    profile: str = "",
    environment: Mapping[str, str] | None = None,
    built: MachineLimits | None = None,
    **chosen: object,
) -> MachineLimits:
    """The limits of a profile, changed by the environment, changed by what was chosen explicitly.

    Args:
        profile: a name of ``MACHINE_PROFILES``; empty for the default.
        environment: instead of the process's own.
        built: instead of a profile: what plans that are there were built for.
        chosen: fields of :class:`MachineLimits`; None leaves a field alone.

    Raises:
        ConfigurationError: an unknown profile, or a value outside of its range.
    """
    environment = os.environ if environment is None else environment
    name = profile or DEFAULT_PROFILE
    if name not in MACHINE_PROFILES:
        raise ConfigurationError(f"profile: expected one of {', '.join(MACHINE_PROFILES)}, got {name!r}")
    values: dict[str, Any] = {}
    for variable, rule in ENVIRONMENT.items():
        if text := environment.get(variable, "").strip():
            values[rule.field] = _checked(variable, rule, text)
        given = chosen.get(rule.field)
        if given is not None:
            values[rule.field] = _checked(rule.field, rule, str(given))
    return replace(built or MACHINE_PROFILES[name], **values)


def _checked(name: str, rule: _Variable, text: str) -> Any:
    try:
        value = rule.read(text)
    except ValueError:
        value = None
    if value is None or not rule.is_valid(value):
        raise ConfigurationError(f"{name}: expected {rule.expected}, got {text!r}")
    return value
