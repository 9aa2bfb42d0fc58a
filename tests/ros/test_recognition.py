"""Sound on the topic becomes transcripts with the times at which it was captured."""

from __future__ import annotations

import pytest

from harness import CAPTURED_NS, SECOND, Ears, Graph, Speaker, Transcript, nanoseconds, sample, start


def hear(graph: Graph, count: int = 1, **speech: object) -> Ears:
    """Say one sample to a fresh recognizer and collect what it says."""
    ears, speaker = Ears(graph.node("ears")), Speaker(graph)
    start(graph.recognizer())
    speaker.wait_for_listener()
    speaker.say("synth-a-135", **speech)
    graph.spin_until(lambda: len(ears.finals) >= count, f"{count} final transcripts")
    return ears


def test_a_sample_is_heard_word_for_word_with_capture_times(graph: Graph) -> None:
    ears = hear(graph)
    spoken = sample("synth-a-135")
    (final,) = ears.finals
    assert final.text == spoken.text
    assert final.is_final
    assert final.end_reason == Transcript.END_SILENCE
    assert final.header.frame_id == "head_microphone"
    assert final.source == "/asr/audio"
    assert final.language == "en"
    assert not final.audio_gap
    assert 0 <= nanoseconds(final.header.stamp) - CAPTURED_NS < SECOND
    assert " ".join(word.text for word in final.words) == final.text
    length_ns = nanoseconds(final.audio_duration)
    times = [t for word in final.words for t in (nanoseconds(word.start), nanoseconds(word.end))]
    assert times == sorted(times)
    assert times[0] >= 0
    assert times[-1] <= length_ns <= (spoken.duration_s + 1) * SECOND
    assert 0 < nanoseconds(final.latency) < 5 * SECOND
    assert 0 < final.confidence <= 1
    graph.spin_until(lambda: ears.texts == [spoken.text], "the text of the final")
    graph.spin_until(lambda: ears.activity == [True, False], "speech to begin and to end")


def test_partials_grow_towards_exactly_one_final(graph: Graph) -> None:
    ears = hear(graph)
    (final,) = ears.finals
    messages = [*ears.partials, final]
    assert len({message.utterance_id for message in messages}) == 1
    revisions = [message.revision for message in messages]
    assert revisions == sorted(set(revisions))
    assert all(m.end_reason == Transcript.END_NONE and not m.is_final for m in ears.partials)
    for partial in ears.partials:
        stable = partial.text.split()[: partial.stable_words]
        assert final.text.split()[: len(stable)] == stable
        assert partial.stable_words <= partial.agreed_words <= len(partial.words)
    assert final.stable_words == final.agreed_words == len(final.words)


def test_the_same_audio_and_stamps_give_the_same_transcripts(graph: Graph) -> None:
    ears, speaker = Ears(graph.node("ears")), Speaker(graph)
    node = graph.recognizer()
    assert node.trigger_configure() == node.trigger_activate()
    for count in (1, 2):
        speaker.wait_for_listener()
        speaker.say("synth-a-135")
        graph.spin_until(lambda count=count: len(ears.finals) == count, "a final")
        node.trigger_deactivate()
        node.trigger_activate()
    first, second = ears.finals
    assert first.utterance_id == second.utterance_id
    assert first.header.stamp == second.header.stamp
    assert (first.text, first.words) == (second.text, second.words)


@pytest.mark.parametrize(
    ("encoding", "channels", "rate"),
    [("S32LE", 2, 8_000), ("F32LE", 1, 48_000), ("S16LE", 6, 44_100), ("U8", 1, 16_000)],
)
def test_every_encoding_rate_and_channel_count_is_understood(
    graph: Graph, encoding: str, channels: int, rate: int
) -> None:
    (final,) = hear(graph, encoding=encoding, channels=channels, rate=rate).finals
    assert final.text.lower().startswith("go to room")
    assert 0 <= nanoseconds(final.header.stamp) - CAPTURED_NS < SECOND


def test_bad_chunks_are_counted_and_the_stream_goes_on(graph: Graph) -> None:
    ears, speaker = Ears(graph.node("ears")), Speaker(graph)
    node = graph.recognizer()
    start(node)
    speaker.wait_for_listener()
    speaker.send(b"\0" * 3201, CAPTURED_NS)
    speaker.send(b"\0" * 3200, CAPTURED_NS, encoding="MP3")
    speaker.send(b"\0" * 3200, CAPTURED_NS, channels=0)
    speaker.send(b"\0" * 3200, CAPTURED_NS, rate=1)
    speaker.send(b"", CAPTURED_NS)
    speaker.send(b"\xff" * 3200, CAPTURED_NS, encoding="F32LE")  # nothing but NaN
    speaker.say("synth-a-135", CAPTURED_NS + SECOND)
    graph.spin_until(lambda: ears.finals, "a final after the bad chunks")
    assert ears.finals[0].text == sample("synth-a-135").text
    assert node.source.bad == 4


def test_a_lost_chunk_inside_an_utterance_is_marked(graph: Graph) -> None:
    ears, speaker = Ears(graph.node("ears")), Speaker(graph)
    start(graph.recognizer())
    speaker.wait_for_listener()
    publish, published = speaker.send, []

    def lossy(data: bytes, stamp_ns: int, *rest: object) -> None:
        published.append(stamp_ns)
        if len(published) == 10:
            speaker.sequence += 1  # as if this one had got lost on its way
        else:
            publish(data, stamp_ns, *rest)  # type: ignore[arg-type]

    speaker.send = lossy  # type: ignore[method-assign]
    speaker.say("synth-a-135")
    graph.spin_until(lambda: ears.finals, "a final")
    assert ears.finals[0].audio_gap


def test_chunks_without_stamps_are_counted_from_the_arrival_of_the_first(graph: Graph) -> None:
    ears, speaker = Ears(graph.node("ears")), Speaker(graph)
    node = graph.recognizer()
    start(node)
    speaker.wait_for_listener()
    publish = speaker.send
    speaker.send = lambda data, _, *rest: publish(data, 0, *rest)  # type: ignore[method-assign]
    began_ns = node.get_clock().now().nanoseconds
    speaker.say("synth-a-135")
    graph.spin_until(lambda: ears.finals, "a final")
    (final,) = ears.finals
    assert final.text == sample("synth-a-135").text
    assert not final.audio_gap
    assert -SECOND < nanoseconds(final.header.stamp) - began_ns < 2 * SECOND
    length_ns = (sample("synth-a-135").duration_s + 1) * SECOND
    assert nanoseconds(final.audio_duration) <= length_ns  # counted: it was said much faster than that


def test_a_gap_between_stamps_is_marked_and_reported_once(
    graph: Graph, capfd: pytest.CaptureFixture[str]
) -> None:
    """Without sequence numbers only the stamps tell that 0.3 s are missing."""
    ears, speaker, said = Ears(graph.node("ears")), Speaker(graph), []
    start(graph.recognizer())
    speaker.wait_for_listener()
    publish = speaker.send

    def without_numbers(data: bytes, stamp_ns: int, *rest: object) -> None:
        speaker.sequence = -1
        late_ns = 300_000_000 if stamp_ns >= CAPTURED_NS + SECOND else 0
        publish(data, stamp_ns + late_ns, *rest)  # type: ignore[arg-type]

    speaker.send = without_numbers  # type: ignore[method-assign]
    speaker.say("synth-a-135")
    graph.spin_until(lambda: ears.finals, "a final")
    (final,) = ears.finals
    assert final.audio_gap
    assert final.text == sample("synth-a-135").text  # only the stamps jump here, nothing is really missing

    def report() -> str:
        said.append(capfd.readouterr().err)
        return "".join(said)

    graph.spin_until(lambda: "part by 0.300 s" in report(), "the report of the jump")
    assert report().count("part by") == 1


def test_a_clock_that_is_set_back_ends_the_utterance_and_times_go_on_from_the_new_one(graph: Graph) -> None:
    ears, speaker = Ears(graph.node("ears")), Speaker(graph)
    start(graph.recognizer())
    speaker.wait_for_listener()
    speaker.say("synth-a-135")
    graph.spin_until(lambda: len(ears.finals) == 1, "a final")
    speaker.say("synth-a-135", CAPTURED_NS - 1000 * SECOND)
    graph.spin_until(lambda: len(ears.finals) == 2, "a final by the new clock")
    first, second = ears.finals
    assert (first.text, first.audio_gap) == (second.text, second.audio_gap)
    moved_ns = nanoseconds(first.header.stamp) - nanoseconds(second.header.stamp)
    assert moved_ns == pytest.approx(1000 * SECOND, abs=SECOND // 50)
