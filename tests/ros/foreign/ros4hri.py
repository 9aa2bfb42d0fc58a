"""LiveSpeech (REP-155) with the messages of hri_msgs; run by tests/ros/test_audio_types.py."""

from __future__ import annotations

from typing import Any

from hri_msgs.msg import IdsList, LiveSpeech

from harness import CAPTURED_NS, LATCHED, SECOND, SUCCESS, Bool, Graph, Speaker, nanoseconds, sample, start


def test_a_voice_appears_speaks_and_vanishes(graph: Graph) -> None:
    ears = graph.node("ears")
    speech: list[Any] = []
    speaking: list[bool] = []
    tracked: list[list[str]] = []
    voice = "/humans/voices/somebody"
    ears.create_subscription(LiveSpeech, f"{voice}/speech", speech.append, 10)
    ears.create_subscription(Bool, f"{voice}/is_speaking", lambda m: speaking.append(m.data), 10)
    ears.create_subscription(
        IdsList, "/humans/voices/tracked", lambda m: tracked.append(list(m.ids)), LATCHED
    )
    speaker = Speaker(graph)
    node = graph.recognizer(live_speech__voice_id="somebody")
    start(node)
    graph.spin_until(lambda: ["somebody"] in tracked, "the voice")
    speaker.wait_for_listener()
    graph.spin_until(lambda: node.count_subscribers(f"{voice}/speech"), "discovery")
    speaker.say("synth-a-135")
    graph.spin_until(lambda: any(m.final for m in speech), "what was said")
    *partials, final = speech
    assert final.final == sample("synth-a-135").text
    assert final.incremental == ""
    assert 0 < final.confidence <= 1
    assert final.locale == "en"
    assert CAPTURED_NS <= nanoseconds(final.header.stamp) < CAPTURED_NS + SECOND
    assert final.header.frame_id == "head_microphone"
    assert partials
    assert all(m.incremental and not m.final for m in partials)
    graph.spin_until(lambda: speaking == [True, False], "speech to begin and end")
    assert node.trigger_deactivate() == SUCCESS
    graph.spin_until(lambda: tracked[-1] == [], "the voice to vanish")
    assert node.count_publishers(f"{voice}/speech") == 0


def test_without_an_identifier_there_is_no_voice(graph: Graph) -> None:
    node = graph.recognizer()
    start(node)
    assert node.count_publishers("/humans/voices/tracked") == 0
