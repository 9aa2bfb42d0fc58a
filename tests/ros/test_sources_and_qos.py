"""The file source, and publishers and subscribers that come late or offer less."""

from __future__ import annotations

import pytest

from harness import (
    BEST_EFFORT,
    RELIABLE,
    Ears,
    Graph,
    QoSProfile,
    Speaker,
    State,
    Transcript,
    sample,
    start,
)


@pytest.mark.parametrize("realtime", [True, False])
def test_a_file_is_played_once_and_its_end_ends_the_utterance(graph: Graph, realtime: bool) -> None:
    spoken = sample("synth-a-135")
    ears = Ears(graph.node("ears"))
    node = graph.recognizer(audio__source="file", audio__file=str(spoken.path), audio__realtime=realtime)
    graph.spin_until(lambda: node.count_subscribers("/asr/final"), "the listener")
    start(node)
    graph.spin_until(lambda: ears.finals, "a final")
    assert ears.finals[0].text == spoken.text
    assert ears.finals[0].source == str(spoken.path)
    assert ears.finals[0].end_reason == Transcript.END_STREAM


def test_who_comes_late_hears_the_state_but_no_old_transcript(graph: Graph) -> None:
    early, speaker = Ears(graph.node("early")), Speaker(graph)
    start(graph.recognizer())
    speaker.wait_for_listener()
    speaker.say("synth-a-135")
    graph.spin_until(lambda: early.finals, "a final")
    late = Ears(graph.node("late"))
    graph.spin_until(lambda: late.state() == State.LISTENING, "the state, which is kept")
    assert late.finals == []
    assert late.texts == []


@pytest.mark.parametrize("qos", [RELIABLE, BEST_EFFORT], ids=["reliable", "best effort"])
@pytest.mark.parametrize("late", [False, True], ids=["early", "late"])
def test_any_publisher_is_heard(graph: Graph, qos: QoSProfile, late: bool) -> None:
    ears = Ears(graph.node("ears"))
    node = graph.recognizer()
    speaker = None if late else Speaker(graph, qos)
    if speaker is not None:
        graph.spin_until(lambda: node.count_publishers("/asr/audio"), "discovery of the publisher")
    start(node)
    speaker = speaker or Speaker(graph, qos)
    speaker.wait_for_listener()
    speaker.say("synth-a-135")
    graph.spin_until(lambda: ears.finals, "a final")
    assert ears.finals[0].text == sample("synth-a-135").text


def test_a_publisher_that_offers_less_than_the_first_one_is_followed(graph: Graph) -> None:
    ears = Ears(graph.node("ears"))
    node = graph.recognizer()
    first = Speaker(graph, RELIABLE)
    graph.spin_until(lambda: node.count_publishers("/asr/audio"), "discovery of the publisher")
    start(node)
    first.wait_for_listener()
    second = Speaker(graph, BEST_EFFORT)
    second.wait_for_listener()  # a reliable subscription would never match it
    second.say("synth-a-135")
    graph.spin_until(lambda: ears.finals, "a final")
    assert ears.finals[0].text == sample("synth-a-135").text
