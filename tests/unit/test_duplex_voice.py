"""The robot's voices in the demo of duplex."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from parakeet_asr.sources.audio_file import read_audio
from voices import FOLDER, EspeakVoice, RecordedVoice, open_voice, robot_sentences

SENTENCES = (FOLDER / "sentences.txt").read_text(encoding="utf-8").splitlines()


def test_every_sentence_is_recorded_in_less_than_a_megabyte() -> None:
    assert robot_sentences() == SENTENCES
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < 1e6
    voice = RecordedVoice()
    for sentence in SENTENCES:
        sound = voice.speak(sentence)
        words_per_s = len(sentence.split()) / (len(sound) / 16_000)
        assert 2.0 < words_per_s < 5.0, sentence
        assert np.abs(sound).max() > 0.3


def test_what_was_not_recorded_is_an_error_that_says_what_to_install() -> None:
    with pytest.raises(ValueError, match="apt install espeak-ng"):
        RecordedVoice().speak("Something else.")


def test_without_espeak_the_recordings_speak(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert isinstance(open_voice("auto"), RecordedVoice)
    with pytest.raises(ValueError, match="apt install espeak-ng"):
        open_voice("espeak")
    with pytest.raises(ValueError, match="expected auto, espeak or recorded"):
        open_voice("mine")


@pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="sudo apt install espeak-ng")
def test_espeak_says_what_was_recorded() -> None:
    said, recorded = EspeakVoice().speak(SENTENCES[0]), read_audio(FOLDER / "robot-01.ogg")
    assert abs(len(said) - len(recorded)) < 16_000  # another version may be a bit faster
