"""The services, called as other nodes do."""

from __future__ import annotations

from typing import Any

import pytest

from harness import CAPTURED_NS, SECOND, Ears, Graph, Speaker, State, Transcript, sample, start
from harness import call as call_service


def call(graph: Graph, name: str, **request: Any) -> Any:
    from parakeet_asr_msgs import srv

    kind = getattr(srv, "".join(part.title() for part in name.split("_")))
    return call_service(graph, kind, f"/asr/parakeet_asr/{name}", kind.Request(**request))


def say_first(speaker: Speaker, chunks: int) -> None:
    """Only the first tenths of a second of a sample."""
    publish, sent = speaker.send, []

    def cut_short(data: bytes, *rest: Any) -> None:
        sent.append(data)
        if len(sent) <= chunks:
            publish(data, *rest)

    speaker.send = cut_short  # type: ignore[method-assign]
    speaker.say("synth-a-135")
    speaker.send = publish  # type: ignore[method-assign]


@pytest.fixture
def listening(graph: Graph) -> tuple[Any, Ears, Speaker]:
    """An active node, who hears it, and who speaks to it."""
    ears, speaker = Ears(graph.node("ears")), Speaker(graph)
    node = graph.recognizer()
    start(node)
    speaker.wait_for_listener()
    return node, ears, speaker


def test_finalize_ends_the_open_utterance(graph: Graph, listening: tuple[Any, Ears, Speaker]) -> None:
    _, ears, speaker = listening
    say_first(speaker, 15)
    graph.spin_until(lambda: ears.activity == [True], "speech to begin")
    assert call(graph, "finalize").success
    graph.spin_until(lambda: ears.finals, "the final")
    assert ears.finals[0].end_reason == Transcript.END_FINALIZED
    assert ears.finals[0].text.startswith("Go to")


def test_reset_forgets_the_open_utterance(graph: Graph, listening: tuple[Any, Ears, Speaker]) -> None:
    node, ears, speaker = listening
    say_first(speaker, 15)
    graph.spin_until(lambda: ears.activity == [True], "speech to begin")
    graph.spin_until(lambda: node.source.received == speaker.sequence, "every chunk to arrive")
    assert call(graph, "reset").success
    graph.spin_until(lambda: ears.activity == [True, False], "speech to end")
    graph.spin_until(lambda: ears.state() == State.LISTENING, "listening")
    speaker.say("synth-a-049", CAPTURED_NS + 60 * SECOND)
    graph.spin_until(lambda: ears.finals, "the final of what came later")
    assert [final.text for final in ears.finals] == [sample("synth-a-049").text]


def test_muted_sound_is_dropped_counted_and_shown(graph: Graph, listening: tuple[Any, Ears, Speaker]) -> None:
    node, ears, speaker = listening
    assert call(graph, "set_muted", muted=True).message == "enabled, muted"
    graph.spin_until(lambda: ears.state() == State.MUTED, "the state")
    after = speaker.say("synth-a-049")
    graph.spin_until(lambda: node.source.received == speaker.sequence, "every chunk to arrive")
    assert call(graph, "set_muted", muted=False).message == "enabled, not muted"
    graph.spin_until(lambda: ears.state() == State.LISTENING, "the state")
    speaker.say("synth-a-135", after)
    graph.spin_until(lambda: ears.finals, "a final")
    assert [final.text for final in ears.finals] == [sample("synth-a-135").text]
    assert node.listener.hearing.intake.muted_s == pytest.approx((after - CAPTURED_NS) / SECOND, abs=0.05)
    assert node.listener.hearing.session.jumps == 0  # what was muted is not missing


def test_a_mute_ends_what_was_said_before_it_on_capture_time(
    graph: Graph, listening: tuple[Any, Ears, Speaker]
) -> None:
    """With stamps of the node's own clock: chunks from before the mute that arrive after it are heard."""
    node, ears, speaker = listening
    now_ns = int(node.get_clock().now().nanoseconds)
    spoken_ns = 2 * SECOND  # the sample is spoken two seconds before the mute, and arrives after it
    assert call(graph, "set_muted", muted=True).success
    speaker.say("synth-a-135", now_ns - spoken_ns)
    graph.spin_until(lambda: ears.finals, "the final of what was said before")
    assert ears.finals[0].end_reason == Transcript.END_FINALIZED
    assert ears.finals[0].text.startswith("Go to")
    assert ears.state() == State.MUTED


def test_a_mute_is_remembered_over_transitions(graph: Graph, listening: tuple[Any, Ears, Speaker]) -> None:
    node, ears, _ = listening
    node.trigger_deactivate()
    node.trigger_cleanup()
    assert "remembered" in call(graph, "set_muted", muted=True).message
    start(node)
    graph.spin_until(lambda: ears.state() == State.MUTED, "the state")


def test_switched_off_lets_go_of_the_source_and_on_takes_it_again(
    graph: Graph, listening: tuple[Any, Ears, Speaker]
) -> None:
    node, ears, speaker = listening
    say_first(speaker, 15)
    graph.spin_until(lambda: ears.activity == [True], "speech to begin")
    assert call(graph, "set_enabled", enabled=False).success
    assert node.count_subscribers("/asr/audio") == 0
    graph.spin_until(lambda: ears.finals and ears.state() == State.IDLE, "the final of the open utterance")
    assert ears.finals[0].end_reason == Transcript.END_FINALIZED
    assert call(graph, "set_enabled", enabled=True).success
    speaker.wait_for_listener()
    speaker.say("synth-a-049", CAPTURED_NS + 60 * SECOND)
    graph.spin_until(lambda: len(ears.finals) == 2, "a final")
    assert ears.finals[1].text == sample("synth-a-049").text
    assert not ears.finals[1].audio_gap


def test_phrases_are_taken_and_those_that_cannot_be_written_are_named(
    graph: Graph, listening: tuple[Any, Ears, Speaker]
) -> None:
    answer = call(graph, "set_phrases", phrases=["Tiago", "..."])
    assert answer.success
    assert answer.skipped == ["..."]
    refused = call(graph, "set_phrases", phrases=["Tiago"], score=-1.0)
    assert not refused.success
    assert "score" in refused.message


def test_commands_say_why_they_cannot_be_done_now(graph: Graph) -> None:
    node = graph.recognizer()
    assert "not active" in call(graph, "finalize").message
    assert "configure" in call(graph, "set_phrases", phrases=["x"]).message
    node.trigger_configure()
    answer = call(graph, "reset")
    assert not answer.success
    assert "not active" in answer.message
