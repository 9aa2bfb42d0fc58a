"""The command line, with a fake model in place of the real one."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from parakeet_asr import __version__
from parakeet_asr.cli import transcribe as transcribe_command
from parakeet_asr.cli.main import main
from parakeet_asr.cli.progress import ProgressBar
from parakeet_asr.core.features import FeatureExtractor
from parakeet_asr.core.model_spec import FeatureSpec
from parakeet_asr.errors import ModelNotFoundError
from parakeet_asr.records import Token, Transcription, Word
from parakeet_asr.sources.audio_file import read_audio


class FakeModel:
    """Hears how long a recording is."""

    interrupt = False

    def transcribe(self, path: Path, *, on_progress: object = None) -> Transcription:
        if self.interrupt:
            raise KeyboardInterrupt
        seconds = len(read_audio(path)) / 16_000
        word = Word(f"{seconds:.1f}", 0.0, seconds, 0.5)
        return Transcription(word.text, (Token(5, 0, 1, 0.5),), (word,), seconds)

    def __enter__(self) -> FakeModel:
        return self

    def __exit__(self, *_: object) -> None:
        pass


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> FakeModel:
    fake = FakeModel()
    monkeypatch.setattr(transcribe_command, "load_model", lambda *_, **__: fake)
    return fake


def wav(path: Path, seconds: float = 1.0) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.full(round(16_000 * seconds), 0.1, np.float32), 16_000)
    return str(path)


@pytest.mark.usefixtures("model")
def test_text_of_one_file_is_only_the_text(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["transcribe", wav(tmp_path / "a.wav")]) == 0
    assert capsys.readouterr() == ("1.0\n", "")


@pytest.mark.usefixtures("model")
def test_text_of_several_files_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a, b = wav(tmp_path / "a.wav"), wav(tmp_path / "b.wav", 2.0)
    assert main(["transcribe", a, b]) == 0
    assert capsys.readouterr().out == f"{a}: 1.0\n{b}: 2.0\n"


@pytest.mark.usefixtures("model")
def test_json_is_one_object_a_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = [wav(tmp_path / "a.wav"), wav(tmp_path / "b.wav", 2.0)]
    assert main(["transcribe", "--format", "json", *files]) == 0
    objects = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [o["audio"] for o in objects] == files
    assert [o["duration_s"] for o in objects] == [1.0, 2.0]
    assert all(list(o) == ["audio", "duration_s", "text", "tokens", "words", "rtfx"] for o in objects)
    assert all(o["tokens"] == [5] and o["rtfx"] > 0 for o in objects)


@pytest.mark.usefixtures("model")
def test_a_bad_file_is_named_and_the_others_are_done(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    empty = tmp_path / "empty.wav"
    empty.touch()
    missing = tmp_path / "missing.wav"
    good = wav(tmp_path / "good.wav")
    assert main(["transcribe", str(empty), good, str(missing)]) == 1
    out, err = capsys.readouterr()
    assert out == f"{good}: 1.0\n"
    assert re.search(f"{empty}.*0 bytes", err)
    assert re.search(f"{missing}.*No such file", err)
    assert "Traceback" not in err


def test_an_unexpected_failure_ends_no_other_file(
    tmp_path: Path, model: FakeModel, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    heard = model.transcribe

    def fail_once(path: Path, *, on_progress: object = None) -> Transcription:
        if path.stem == "a":
            raise ZeroDivisionError("odd")
        return heard(path)

    monkeypatch.setattr(model, "transcribe", fail_once)
    files = [wav(tmp_path / "a.wav"), wav(tmp_path / "b.wav")]
    assert main(["transcribe", *files]) == 1
    out, err = capsys.readouterr()
    assert out == f"{files[1]}: 1.0\n"
    assert err == f"parakeet-asr: {files[0]}: ZeroDivisionError: odd\n"


@pytest.mark.usefixtures("model")
@pytest.mark.parametrize(("output_format", "extension"), [("text", "txt"), ("srt", "srt"), ("vtt", "vtt")])
def test_output_directory_gets_a_file_per_input(
    tmp_path: Path, output_format: str, extension: str, capsys: pytest.CaptureFixture[str]
) -> None:
    files = [wav(tmp_path / "a.wav"), wav(tmp_path / "b.wav")]
    out = tmp_path / "new" / "folder"
    assert main(["transcribe", "--format", output_format, "--output", str(out), *files]) == 0
    assert sorted(path.name for path in out.iterdir()) == [f"a.{extension}", f"b.{extension}"]
    assert "1.0" in (out / f"a.{extension}").read_text()
    assert capsys.readouterr().out == ""


@pytest.mark.usefixtures("model")
def test_inputs_of_the_same_name_do_not_overwrite_each_other(tmp_path: Path) -> None:
    files = [
        wav(tmp_path / "one" / "a.wav", 1.0),
        wav(tmp_path / "two" / "a.wav", 2.0),
        wav(tmp_path / "a-2.wav", 3.0),
        wav(tmp_path / "three" / "a.wav", 4.0),
    ]
    out = tmp_path / "out"
    assert main(["transcribe", "--output", str(out), *files]) == 0
    heard = {path.name: path.read_text().strip() for path in out.iterdir()}
    assert heard == {"a.txt": "1.0", "a-3.txt": "2.0", "a-2.txt": "3.0", "a-4.txt": "4.0"}


@pytest.mark.usefixtures("model")
def test_subtitles_of_several_files_do_not_share_stdout(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = [wav(tmp_path / "a.wav"), wav(tmp_path / "b.wav")]
    assert main(["transcribe", "--format", "srt", *files]) == 1
    assert "--output" in capsys.readouterr().err


@pytest.mark.usefixtures("model")
def test_an_output_that_is_no_directory(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = wav(tmp_path / "a.wav")
    assert main(["transcribe", "--output", file, file]) == 1
    assert "--output" in capsys.readouterr().err


def test_a_model_that_is_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def load(*_: object, **__: object) -> None:
        raise ModelNotFoundError("no model at nowhere; export one")

    monkeypatch.setattr(transcribe_command, "load_model", load)
    assert main(["transcribe", "--model", "nowhere", wav(tmp_path / "a.wav")]) == 1
    assert capsys.readouterr().err == "parakeet-asr: no model at nowhere; export one\n"


def test_ctrl_c(tmp_path: Path, model: FakeModel, capsys: pytest.CaptureFixture[str]) -> None:
    model.interrupt = True
    assert main(["transcribe", wav(tmp_path / "a.wav")]) == 130
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["transcribe"],
        ["transcribe", "a.wav", "--threads", "0"],
        ["features", "a.wav", "--recipe", "kaldi"],
    ],
)
def test_wrong_arguments(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert "usage:" in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--version", "--help"])
def test_version_and_help_load_no_engine(option: str) -> None:
    code = "import sys; from parakeet_asr.cli.main import main\n"
    code += f"try: main([{option!r}])\nexcept SystemExit: pass\n"
    code += "assert not {'onnxruntime', 'soundfile', 'sentencepiece'} & set(sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert ("usage:" if option == "--help" else __version__) in done.stdout


@pytest.mark.parametrize("recipe", ["nemo", "rust"])
@pytest.mark.parametrize("normalize", [True, False])
def test_features(tmp_path: Path, recipe: str, normalize: bool) -> None:
    sound = np.random.default_rng(0).uniform(-0.5, 0.5, 16_000).astype(np.float32)
    soundfile.write(tmp_path / "a.wav", sound, 16_000, subtype="FLOAT")
    out = tmp_path / "x.data"
    options = ["--normalize"] if normalize else []
    assert main(["features", str(tmp_path / "a.wav"), "--recipe", recipe, "--out", str(out), *options]) == 0
    found = np.load(out)
    assert found.dtype == np.float32
    assert found.flags.c_contiguous
    spec = FeatureSpec(recipe, 128, "per_feature" if normalize else "none")  # type: ignore[arg-type]
    np.testing.assert_allclose(found, FeatureExtractor(spec).extract(sound).T, rtol=0, atol=1e-3)


def test_features_of_a_bad_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "x.npy"
    missing = tmp_path / "missing.wav"
    assert main(["features", str(missing), "--recipe", "nemo", "--out", str(out)]) == 1
    assert str(missing) in capsys.readouterr().err
    assert not out.exists()


def test_features_that_cannot_be_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "nowhere" / "x.npy"
    assert main(["features", wav(tmp_path / "a.wav"), "--recipe", "nemo", "--out", str(out)]) == 1
    assert "--out" in capsys.readouterr().err


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_the_progress_bar_shows_on_a_terminal_only_and_wipes_itself_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now_s = 0.0
    monkeypatch.setattr("time.monotonic", lambda: now_s)
    terminal, file = Terminal(), io.StringIO()
    with ProgressBar("a.wav", terminal) as bar, ProgressBar("a.wav", file) as quiet:
        bar(1.0, 100.0)
        assert terminal.getvalue() == ""  # short work shows nothing
        now_s = 2.0
        bar(50.0, 100.0)
        quiet(50.0, 100.0)
        now_s = 3.0
        bar(70.0, None)
    assert "50% of 100 s" in terminal.getvalue()
    assert "70 s" in terminal.getvalue()
    assert terminal.getvalue().endswith("\r\x1b[K")
    assert file.getvalue() == ""


def test_a_reader_that_leaves_early_is_no_failure_with_traceback(tmp_path: Path) -> None:
    code = (
        "import sys; from parakeet_asr.cli import main as cli\n"
        "def run(options):\n"
        "    for _ in range(100_000): print('x' * 100)\n"
        "    return 0\n"
        "cli._COMMANDS['transcribe'] = run\n"
        "sys.exit(cli.main(['transcribe', 'a.wav']))\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.wait(timeout=30) == 1
        assert process.stderr.read() == ""
