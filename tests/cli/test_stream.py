"""``stream``: a recording as JSON lines, with the bundled model."""

from __future__ import annotations

import io
import json
from contextlib import redirect_stdout
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import soundfile

from parakeet_asr.cli import stream as stream_command
from parakeet_asr.cli.main import main
from parakeet_asr.cli.stream import StreamRequest
from parakeet_asr.core.profiles import profile
from parakeet_asr.sources.audio_file import read_audio

FIELDS = {
    *(
        "event",
        "utterance_id",
        "revision",
        "text",
        "stable_words",
        "agreed_words",
        "words",
        "start_s",
        "end_s",
    ),
    *("audio_s", "latency_s"),
}
BLOCK_S, PARTIAL_INTERVAL_S, SILENCE_S, POST_ROLL_S = 0.02, 0.32, 0.6, 0.3


@pytest.fixture(scope="module")
def recording(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two sentences in a quiet room."""
    rng = np.random.default_rng(0)
    parts = []
    for name in ("synth-a-010.flac", "synth-a-135.flac"):
        parts += [1e-4 * rng.standard_normal(19_200), read_audio(root / "examples" / "samples" / name)]
    path = tmp_path_factory.mktemp("stream") / "two.wav"
    soundfile.write(path, np.concatenate([*parts, 1e-4 * rng.standard_normal(19_200)]), 16_000, "PCM_16")
    return path


def lines(*arguments: str) -> list[dict[str, Any]]:
    with redirect_stdout(io.StringIO()) as printed:
        assert main(["stream", *arguments, "--threads", "1"]) == 0
    return [json.loads(line) for line in printed.getvalue().splitlines()]


@pytest.fixture(scope="module")
def heard(recording: Path) -> list[dict[str, Any]]:
    return lines(str(recording), "--block-s", str(BLOCK_S))


def test_every_line_says_what_the_documentation_lists(heard: list[dict[str, Any]]) -> None:
    finals = [one for one in heard if one["event"] == "final"]
    assert [one["text"] for one in finals] == [
        "Remind me in thirty minutes to call Sarah.",
        "Go to room forty ninety.",
    ]
    for one in heard:
        assert set(one) == FIELDS | ({"end_reason"} if one["event"] == "final" else set())
        assert one["stable_words"] <= one["agreed_words"] <= len(one["words"]) == len(one["text"].split())
    for final in finals:
        own = [one for one in heard if one["utterance_id"] == final["utterance_id"]]
        assert [one["event"] for one in own] == ["partial"] * (len(own) - 1) + ["final"]
        revisions = [one["revision"] for one in own]
        assert revisions == sorted(set(revisions)), "they grow; numbers may be left out"
        assert (
            final["start_s"] <= final["words"][0]["start_s"] <= final["words"][-1]["end_s"] <= final["end_s"]
        )


def test_messages_come_as_soon_as_they_can(heard: list[dict[str, Any]]) -> None:
    """In seconds of sound; computing comes on top of it."""
    for final in (one for one in heard if one["event"] == "final"):
        first = next(one for one in heard if one["utterance_id"] == final["utterance_id"])
        assert first["audio_s"] <= final["words"][0]["end_s"] + PARTIAL_INTERVAL_S + 0.5
        silence_from_s = final["end_s"] - POST_ROLL_S
        assert final["audio_s"] <= silence_from_s + SILENCE_S + 0.05 + BLOCK_S


def test_options_reach_the_session(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[StreamRequest] = []
    monkeypatch.setattr(stream_command, "stream", asked.append)
    options = ("--profile", "nano", "--agreeing-looks", "3", "--silence-s", "1.5", "--gap-tolerance-s", "0.4")
    assert main(["stream", "-", *options]) == 0
    nano = profile("nano")
    assert asked[0].options == replace(nano, agreeing_looks=3, silence_s=1.5, gap_tolerance_s=0.4)


def test_the_pipe_and_other_blocks_give_the_same_messages(
    recording: Path, heard: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    samples, _ = soundfile.read(recording, dtype="int16")
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(samples.tobytes() + b"\0")))
    piped = lines("-", "--block-s", "0.37")

    def without_clocks(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [{k: v for k, v in one.items() if k not in ("audio_s", "latency_s")} for one in messages]

    assert without_clocks(piped) == without_clocks(heard)
