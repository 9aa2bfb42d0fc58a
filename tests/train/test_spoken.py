"""Synthesizers speak what they are asked to, in voices that are drawn the same again; models are scored."""

from __future__ import annotations

import json
import shutil

import pytest

pytest.importorskip("parakeet_asr_tools")
pytest.importorskip("onnxruntime")

from parakeet_asr.errors import ConfigurationError
from parakeet_asr.loader import load_model
from parakeet_asr.sources.audio_file import read_audio
from parakeet_asr_tools.cli import main
from parakeet_asr_tools.train.manifest import Utterance, read_manifest
from parakeet_asr_tools.train.spoken import speak
from parakeet_asr_tools.train.synthesizers import SYNTHESIZERS, FliteVoice
from parakeet_asr_tools.train.word_errors import Heard, Score, scores

TEXTS = ["Go to the kitchen.", "Open the door.", "Follow me."]


@pytest.mark.parametrize("program", list(SYNTHESIZERS))
def test_sentences_become_recordings_and_a_manifest(tmp_path, program) -> None:
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed: sudo apt install {SYNTHESIZERS[program].package}")
    for name in ("one", "again"):
        command = ["speak", str(tmp_path / name), "--commands", "4", "--seed", "3", "--synthesizer", program]
        assert main(command) == 0
    one, again = (read_manifest(tmp_path / name / "manifest.jsonl") for name in ("one", "again"))
    assert len({row.text for row in one}) == 4
    assert [(row.text, row.duration_s) for row in one] == [(row.text, row.duration_s) for row in again]
    for row in one:
        samples = read_audio(row.audio)
        assert len(samples) == pytest.approx(16000 * row.duration_s)
        assert samples.std() > 0.01


def test_what_flite_says_is_understood(tmp_path) -> None:
    if shutil.which("flite") is None:
        pytest.skip("flite is not installed: sudo apt install flite")
    speak(TEXTS, tmp_path, seed=1, synthesizer=FliteVoice)
    rows = read_manifest(tmp_path / "manifest.jsonl")
    with load_model("demo", threads=1) as model:
        heard = [Heard(row, model.transcribe(row.audio).text) for row in rows]
    (found,) = scores(heard).values()
    assert found.errors <= 0.4 * found.words


def test_a_synthesizer_that_is_not_there_is_named(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConfigurationError, match="flite is not installed: sudo apt install flite"):
        speak(TEXTS, tmp_path, seed=1, synthesizer=FliteVoice)


def test_scores_are_added_up_by_set(tmp_path) -> None:
    def heard(group: str, said: str, text: str) -> Heard:
        return Heard(Utterance(tmp_path, said, 1.0, group), text)

    found = scores([heard("a", "Go home.", "go home"), heard("a", "Stop!", "Drop."), heard("b", "One", "")])
    assert found == {"a": Score(2, 3, 1), "b": Score(1, 1, 1)}
    assert found["a"].word_error_rate == pytest.approx(1 / 3)


def test_a_model_is_scored(root, tmp_path, capsys) -> None:
    """The demo model on its samples: what `make demo` hears."""
    samples = root / "examples" / "samples" / "manifest.jsonl"
    out = tmp_path / "heard.jsonl"
    assert main(["score", "demo", str(samples), "--threads", "1", "--transcripts", str(out)]) == 0
    shown = capsys.readouterr().out
    assert "78" in shown
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert len(rows) == 12
    assert sum(row["text"] == row["heard"] for row in rows) >= 9
    assert main(["score", "demo", str(samples), "--held-out", "2"]) == 0
    assert main(["score", "demo", str(tmp_path / "none.jsonl")]) == 1
