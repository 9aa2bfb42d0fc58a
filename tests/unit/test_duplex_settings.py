"""From the node's parameters to the options of duplex."""

from __future__ import annotations

import pytest

from parakeet_asr.core.duplex.options import DuplexOptions
from parakeet_asr.errors import ConfigurationError
from parakeet_asr.ros.duplex.settings import (
    NO_MODE,
    OPTION_PARAMETERS,
    duplex_options,
    duplex_sources,
    split_words,
)
from parakeet_asr.ros.parameters import BY_NAME, PARAMETERS

DEFAULTS = {parameter.name: parameter.default for parameter in PARAMETERS}


def test_defaults_are_those_of_duplex_but_for_the_mode_which_is_none() -> None:
    assert duplex_options(DEFAULTS) == DuplexOptions(mode="off")


def test_no_choice_of_the_mode_is_something_else_than_text_in_yaml() -> None:
    yaml = pytest.importorskip("yaml", reason="PyYAML is not installed")
    modes = BY_NAME["duplex.mode"].choices
    assert [yaml.safe_load(mode) for mode in modes] == list(modes)
    assert modes[0] == NO_MODE
    for mode in modes[1:]:
        assert duplex_options(DEFAULTS | {"duplex.mode": mode}).mode == mode


def test_every_option_can_be_set() -> None:
    changed = {
        "duplex.mode": "filter",
        "duplex.tail_s": 0.1,
        "duplex.watchdog_s": 9.0,
        "duplex.seconds_per_character": 0.05,
        "echo.action": "mark",
        "echo.window_s": 7.0,
        "barge_in.enabled": False,
        "barge_in.min_speech_s": 0.4,
    }
    assert set(changed) == set(OPTION_PARAMETERS.values())
    options = duplex_options(DEFAULTS | changed)
    assert {name: getattr(options, field) for field, name in OPTION_PARAMETERS.items()} == changed


def test_words_are_a_list_with_commas() -> None:
    assert split_words(" Stop, wait a moment,,") == ("stop", "wait a moment")
    assert split_words("") == ()


def test_to_cancel_a_goal_an_action_must_be_named() -> None:
    with pytest.raises(ConfigurationError, match="duplex.action"):
        duplex_sources(DEFAULTS | {"barge_in.cancel_action": True})
    sources = duplex_sources(DEFAULTS | {"barge_in.cancel_action": True, "duplex.action": "/say"})
    assert (sources.action, sources.cancel_action) == ("/say", True)
