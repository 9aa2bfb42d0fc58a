"""How the robot's own voice is dealt with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from parakeet_asr.errors import ConfigurationError

Mode = Literal["off", "gate", "filter", "full"]
"""off: the robot's voice is transcribed like any other. gate: nothing is heard while it speaks. filter:
hears on, and drops what is echo. full: cancels the echo, with filter as a safety net."""

EchoAction = Literal["drop", "mark"]
"""What becomes of an utterance that is echo."""

MODES: tuple[Mode, ...] = get_args(Mode)
ECHO_ACTIONS: tuple[EchoAction, ...] = get_args(EchoAction)


@dataclass(frozen=True, slots=True)
class DuplexOptions:
    """All that can be chosen; every value can be changed while a stream goes on."""

    mode: Mode = "gate"
    tail_s: float = 0.3  # the room goes on sounding for so long after the robot stopped
    watchdog_s: float = 3.0  # a witness of the robot's speech that is silent for so long is dead
    seconds_per_character: float = 0.07  # of speech, where only the text is known
    echo_action: EchoAction = "drop"
    echo_window_s: float = 0.5  # an echo may be heard so long after the tail
    barge_in: bool = True  # look for people who interrupt
    min_speech_s: float = 0.25  # of a person's voice that makes a barge-in
    words: tuple[str, ...] = ()  # that alone may interrupt; none: any speech may

    def __post_init__(self) -> None:
        """Refuse what cannot work.

        Raises:
            ConfigurationError: a value is out of range.
        """
        for name, allowed in (("mode", MODES), ("echo_action", ECHO_ACTIONS)):
            if getattr(self, name) not in allowed:
                raise ConfigurationError(
                    f"{name}: expected one of {', '.join(allowed)}, got {getattr(self, name)!r}"
                )
        for name in ("tail_s", "echo_window_s", "min_speech_s"):
            if not getattr(self, name) >= 0:
                raise ConfigurationError(f"{name}: expected 0 or more, got {getattr(self, name)}")
        for name in ("watchdog_s", "seconds_per_character"):
            if not getattr(self, name) > 0:
                raise ConfigurationError(f"{name}: expected more than 0, got {getattr(self, name)}")
