"""Profiles: named options that a session takes."""

from __future__ import annotations

import pytest

from fakes import LoudnessDetector, PieceTokenizer, ScriptedEngine
from parakeet_asr.core.profiles import PROFILES, profile
from parakeet_asr.core.recognizer import Recognizer
from parakeet_asr.core.session import SpeechSession
from parakeet_asr.errors import ConfigurationError


@pytest.mark.parametrize("name", PROFILES)
def test_a_session_takes_every_profile(name: str) -> None:
    recognizer = Recognizer(ScriptedEngine(), PieceTokenizer())
    assert SpeechSession(recognizer, LoudnessDetector(), profile(name)).options is PROFILES[name]


def test_profiles_differ_in_windows_and_looks_only() -> None:
    robot, nano = profile("robot"), profile("nano")
    assert nano.left_s < robot.left_s
    assert nano.partial_interval_s > robot.partial_interval_s
    assert (nano.silence_s, nano.final_window_s) == (robot.silence_s, robot.final_window_s)


def test_an_unknown_profile_is_named() -> None:
    with pytest.raises(ConfigurationError, match="robot, nano, got 'fast'"):
        profile("fast")
