"""``--phrases``: from the command line to the recognizer."""

from __future__ import annotations

from pathlib import Path

import pytest

from parakeet_asr.cli.arguments import make_parser
from parakeet_asr.cli.main import main
from parakeet_asr.cli.phrases import PhraseRequest, read_phrases
from parakeet_asr.core.phrases import DEFAULT_SCORE, Phrase
from parakeet_asr.errors import ConfigurationError


def test_texts_and_files_mix(tmp_path: Path) -> None:
    listed = tmp_path / "names.txt"
    listed.write_text("# crew\nAda Lovelace\nWally\t2.5\n", encoding="utf-8")
    options = make_parser().parse_args(
        ["transcribe", "--phrases", "turn left", "--phrases", str(listed), "a.wav"]
    )
    request = PhraseRequest.from_arguments(options)
    assert list(read_phrases(request.sources)) == [
        Phrase("turn left"),
        Phrase("Ada Lovelace"),
        Phrase("Wally", 2.5),
    ]
    assert (request.score, request.anti_blank) == (DEFAULT_SCORE, 0.0)


def test_help_names_the_default_score(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["transcribe", "--help"])
    assert f"(default: {DEFAULT_SCORE:g})" in capsys.readouterr().out


def test_a_file_that_is_no_text(tmp_path: Path) -> None:
    path = tmp_path / "names.bin"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigurationError, match="UTF-8"):
        list(read_phrases([str(path)]))


def test_phrases_reach_the_model(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sample = str(root / "examples/samples/lj-077.flac")
    assert main(["transcribe", sample, "--threads", "1"]) == 0
    plain = capsys.readouterr().out
    phrases = ["--phrases", "Z\u00fcrich", "--phrases", "letterman", "--phrase-score", "60"]
    assert main(["transcribe", sample, "--threads", "1", *phrases]) == 0
    boosted = capsys.readouterr()
    assert (plain, boosted.out) == ("To improve the letter in form.\n", "To improve the letterman form.\n")
    assert boosted.err == "parakeet-asr: phrase 'Z\u00fcrich' left out: the model cannot write '\u00fc'\n"


def test_a_score_out_of_range(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sample = str(root / "examples/samples/lj-077.flac")
    assert main(["transcribe", sample, "--phrases", "one", "--phrase-score", "-1"]) == 1
    assert "expected a number from 0 on, in nats, got -1.0" in capsys.readouterr().err
