"""Recordings over the service, beside listening."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness import Ears, Graph, Speaker, encode, sample, start
from parakeet_asr.sources.audio_file import read_audio
from test_services import call

NAME = "/asr/parakeet_asr/transcribe"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Recordings that may be read, and one outside that may not."""
    allowed = tmp_path / "allowed"
    allowed.mkdir()
    spoken = sample("synth-a-135").path.read_bytes()
    (allowed / "spoken.flac").write_bytes(spoken)
    (allowed / "broken.flac").write_bytes(b"no sound")
    (tmp_path / "secret.flac").write_bytes(spoken)
    (allowed / "link.flac").symlink_to(tmp_path / "secret.flac")
    (allowed / "within.flac").symlink_to(allowed / "spoken.flac")
    (allowed / "loop.flac").symlink_to(allowed / "loop.flac")
    return allowed


def test_files_below_the_folder_are_read_and_no_others(graph: Graph, folder: Path) -> None:
    node = graph.recognizer(transcribe__folder=str(folder))
    assert "configure" in call(graph, "transcribe", path="spoken.flac").message
    node.trigger_configure()  # it need not listen
    for path in ("spoken.flac", "./spoken.flac", "within.flac", str(folder / "spoken.flac")):
        answer = call(graph, "transcribe", path=path)
        assert answer.success, answer.message
        (transcript,) = answer.transcripts
        assert transcript.text == sample("synth-a-135").text
        assert transcript.is_final
        assert len(transcript.words) == len(transcript.text.split())
    for path, reason in (
        ("../secret.flac", "outside"),
        (str(folder.parent / "secret.flac"), "outside"),
        ("link.flac", "outside"),
        ("../allowed2/x", "outside"),
        ("nothing.flac", "no such file"),
        ("loop.flac", "loop.flac"),
        ("broken.flac", "broken.flac"),
    ):
        answer = call(graph, "transcribe", path=path)
        assert not answer.success
        assert reason in answer.message
        assert answer.transcripts == []


def test_without_a_folder_no_file_is_read(graph: Graph, folder: Path) -> None:
    graph.recognizer().trigger_configure()
    assert "transcribe.folder is empty" in call(graph, "transcribe", path=str(folder / "spoken.flac")).message


def test_sound_of_any_format_is_understood_and_nonsense_refused(graph: Graph) -> None:
    graph.recognizer().trigger_configure()
    sound = read_audio(sample("synth-a-135").path)
    ids = set()
    for encoding, channels in (("S16LE", 1), ("F32LE", 2)):
        data = encode(np.repeat(sound[:, None], channels, axis=1), encoding)
        request = {"data": data, "encoding": encoding, "sample_rate": 16_000, "channels": channels}
        for _ in range(2):
            (transcript,) = call(graph, "transcribe", **request).transcripts
            assert transcript.text == sample("synth-a-135").text
            ids.add(transcript.utterance_id)
    assert len(ids) == 1  # the same sound has the same id
    assert "encoding" in call(graph, "transcribe", data=b"\0\0", sample_rate=16_000, channels=1).message
    assert "rate" in call(graph, "transcribe", data=b"\0\0", encoding="S16LE", channels=1).message
    assert "both or neither" in call(graph, "transcribe").message


def test_listening_and_other_services_go_on_during_a_long_recording(graph: Graph) -> None:
    ears, speaker = Ears(graph.node("ears")), Speaker(graph)
    start(graph.recognizer())
    speaker.wait_for_listener()
    sound = read_audio(sample("synth-a-049").path)
    long = np.concatenate([sound, np.zeros(8000, np.float32)] * (120 * 16_000 // (len(sound) + 8000)))
    client = graph.client(*_transcribe_service())
    graph.spin_until(client.service_is_ready, "the service")
    request = client.srv_type.Request(
        data=encode(long, "S16LE"), encoding="S16LE", sample_rate=16_000, channels=1
    )
    pending = client.call_async(request)
    order: list[str] = []
    pending.add_done_callback(lambda _: order.append("recording"))
    speaker.say("synth-a-135")
    graph.spin_until(lambda: ears.finals, "the final of what was said meanwhile")
    order.append("spoken")
    assert call(graph, "finalize").success
    order.append("service")
    graph.spin_until(lambda: "recording" in order, "the recording", 120.0)
    assert order == ["spoken", "service", "recording"]
    assert ears.finals[0].text == sample("synth-a-135").text
    (transcript,) = pending.result().transcripts
    assert transcript.audio_duration.sec == len(long) // 16_000


def test_cleanup_ends_a_request_with_an_answer(graph: Graph) -> None:
    node = graph.recognizer()
    node.trigger_configure()
    client = graph.client(*_transcribe_service())
    graph.spin_until(client.service_is_ready, "the service")
    noise = np.random.default_rng(1).normal(0, 0.1, 16_000 * 300)
    request = client.srv_type.Request(data=encode(noise, "U8"), encoding="U8", sample_rate=16_000, channels=1)
    pending = [client.call_async(request) for _ in range(2)]
    graph.spin_until(lambda: node.transcription.waiting == 2, "the requests to arrive")
    node.trigger_cleanup()
    graph.spin_until(lambda: all(future.done() for future in pending), "the answers")
    for future in pending:
        assert not future.result().success
        assert future.result().message


def _transcribe_service() -> tuple[Any, str]:
    from parakeet_asr_msgs.srv import Transcribe

    return Transcribe, NAME
