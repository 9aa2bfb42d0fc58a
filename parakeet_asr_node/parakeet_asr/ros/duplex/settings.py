"""From the node's parameters to what duplex needs to know; knows no ROS."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from parakeet_asr.core.duplex.options import DuplexOptions
from parakeet_asr.errors import ConfigurationError

Values = Mapping[str, "bool | int | float | str"]

NO_MODE = "none"
"""Mode "off" as a parameter: in YAML, and so on the command line, off is not a text but false."""

# DuplexOptions' fields and the parameters that set them.
OPTION_PARAMETERS = {
    "mode": "duplex.mode",
    "tail_s": "duplex.tail_s",
    "watchdog_s": "duplex.watchdog_s",
    "seconds_per_character": "duplex.seconds_per_character",
    "echo_action": "echo.action",
    "echo_window_s": "echo.window_s",
    "barge_in": "barge_in.enabled",
    "min_speech_s": "barge_in.min_speech_s",
}


@dataclass(frozen=True, slots=True)
class DuplexSources:
    """Names of what tells that the robot speaks; "": there is none."""

    action: str = ""
    speaking_topic: str = ""
    text_topic: str = ""
    playback_topic: str = ""
    longest_s: float = 60.0
    cancel_action: bool = False


def duplex_options(values: Values) -> DuplexOptions:
    """What a duplex session wants to know.

    Raises:
        ConfigurationError: a value is out of range, or two exclude each other.
    """
    options = {field: values[name] for field, name in OPTION_PARAMETERS.items()}
    options["mode"] = "off" if options["mode"] == NO_MODE else options["mode"]
    return DuplexOptions(**options, words=split_words(str(values["barge_in.words"])))  # type: ignore[arg-type]


def split_words(text: str) -> tuple[str, ...]:
    """A comma list, in lower case."""
    return tuple(word.strip().lower() for word in text.split(",") if word.strip())


def duplex_sources(values: Values) -> DuplexSources:
    """What is to be watched.

    Raises:
        ConfigurationError: a goal is to be canceled, but no action is named.
    """
    sources = DuplexSources(
        action=str(values["duplex.action"]),
        speaking_topic=str(values["duplex.speaking_topic"]),
        text_topic=str(values["duplex.text_topic"]),
        playback_topic=str(values["duplex.playback_topic"]),
        longest_s=float(values["duplex.longest_s"]),
        cancel_action=bool(values["barge_in.cancel_action"]),
    )
    if sources.cancel_action and not sources.action:
        raise ConfigurationError(
            "barge_in.cancel_action: expected the name of an action in duplex.action, got none"
        )
    return sources
