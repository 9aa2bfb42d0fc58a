"""Who can talk to the node: every quality of service, asked of the middleware."""

from __future__ import annotations

from itertools import combinations, product
from types import SimpleNamespace

import pytest
from rclpy.duration import Duration
from rclpy.qos import HistoryPolicy, LivelinessPolicy, QoSCompatibility, qos_check_compatible

from harness import (
    BEST_EFFORT,
    RELIABLE,
    AudioChunk,
    DurabilityPolicy,
    Graph,
    QoSProfile,
    ReliabilityPolicy,
    encode,
    start,
)
from parakeet_asr.ros.audio_topic import TopicSource
from parakeet_asr.ros.qos import STATE, TRANSCRIPTS, audio_profile

PUBLISHERS = [
    QoSProfile(
        reliability=reliability,
        durability=durability,
        history=history,
        depth=depth,
        deadline=deadline,
        liveliness=liveliness,
    )
    for reliability, durability, (history, depth), deadline, liveliness in product(
        (ReliabilityPolicy.RELIABLE, ReliabilityPolicy.BEST_EFFORT),
        (DurabilityPolicy.VOLATILE, DurabilityPolicy.TRANSIENT_LOCAL),
        ((HistoryPolicy.KEEP_LAST, 1), (HistoryPolicy.KEEP_LAST, 50), (HistoryPolicy.KEEP_ALL, 0)),
        (Duration(), Duration(nanoseconds=200_000_000)),
        (LivelinessPolicy.AUTOMATIC, LivelinessPolicy.MANUAL_BY_TOPIC),
    )
]


def matches(publisher: QoSProfile, subscriber: QoSProfile) -> bool:
    return qos_check_compatible(publisher, subscriber)[0] != QoSCompatibility.ERROR


def infos(*profiles: QoSProfile) -> list[SimpleNamespace]:
    return [SimpleNamespace(qos_profile=profile) for profile in profiles]


def test_every_publisher_of_sound_is_matched_alone_and_beside_every_other() -> None:
    for one in PUBLISHERS:
        assert matches(one, audio_profile(infos(one))), one
    for pair in combinations(PUBLISHERS, 2):
        profile = audio_profile(infos(*pair))
        assert all(matches(one, profile) for one in pair), pair
    assert matches(PUBLISHERS[-1], audio_profile([]))  # before anybody is known


def test_sound_is_reliable_where_all_publishers_are() -> None:
    for one in PUBLISHERS:
        assert audio_profile(infos(one)).reliability == one.reliability


@pytest.mark.parametrize(
    ("reliability", "durability", "transcripts", "state"),
    [
        (ReliabilityPolicy.RELIABLE, DurabilityPolicy.VOLATILE, True, True),
        (ReliabilityPolicy.BEST_EFFORT, DurabilityPolicy.VOLATILE, True, True),
        # Who wants old transcripts gets none, for a late joiner must not act on them; the state is kept.
        (ReliabilityPolicy.RELIABLE, DurabilityPolicy.TRANSIENT_LOCAL, False, True),
        (ReliabilityPolicy.BEST_EFFORT, DurabilityPolicy.TRANSIENT_LOCAL, False, True),
    ],
)
def test_subscribers_of_what_the_node_says(
    reliability: ReliabilityPolicy, durability: DurabilityPolicy, transcripts: bool, state: bool
) -> None:
    subscriber = QoSProfile(depth=10, reliability=reliability, durability=durability)
    assert matches(TRANSCRIPTS, subscriber) is transcripts
    assert matches(STATE, subscriber) is state


def test_four_kinds_of_publishers_at_once_are_all_heard(graph: Graph) -> None:
    node, outsider = graph.recognizer(), graph.outsider("speakers")
    late = DurabilityPolicy.TRANSIENT_LOCAL
    publishers = [
        outsider.create_publisher(AudioChunk, "/asr/audio", qos)
        for qos in (
            RELIABLE,
            BEST_EFFORT,
            QoSProfile(depth=1, durability=late),
            QoSProfile(depth=1, durability=late, reliability=ReliabilityPolicy.BEST_EFFORT),
        )
    ]
    graph.spin_until(lambda: node.count_publishers("/asr/audio") == 4, "discovery")
    start(node)
    graph.spin_until(lambda: all(p.get_subscription_count() for p in publishers), "four matches")
    message = AudioChunk(sample_rate=16_000, channels=1, encoding="S16LE")
    message.data.frombytes(encode([[0.1]] * 1600, "S16LE"))
    for publisher in publishers:
        publisher.publish(message)
    graph.spin_until(lambda: node.source.received == 4, "four chunks")


def test_a_subscription_that_was_never_matched_is_made_anew(
    graph: Graph, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when DDS fails to bring two together: the first subscription hears nothing."""
    monkeypatch.setattr("parakeet_asr.ros.audio_topic.REMATCH_S", 0.5)
    node, outsider = graph.recognizer(), graph.outsider("speaker")
    create, deaf = node.create_subscription, []

    def create_deaf(kind: type, topic: str, *rest: object) -> object:
        deaf.append(topic)
        return create(kind, "/elsewhere" if len(deaf) == 1 else topic, *rest)

    monkeypatch.setattr(node, "create_subscription", create_deaf)
    publisher = outsider.create_publisher(AudioChunk, "/asr/audio", RELIABLE)
    graph.spin_until(lambda: node.count_publishers("/asr/audio"), "discovery")
    start(node)
    assert isinstance(node.source, TopicSource)
    graph.spin_until(publisher.get_subscription_count, "another subscription")
    publisher.publish(AudioChunk(sample_rate=16_000, channels=1, encoding="S16LE"))
    graph.spin_until(lambda: node.source.received, "sound")
    made = len(deaf)
    looks: list[bool] = []
    node.create_timer(0.5, lambda: looks.append(True))
    graph.spin_until(lambda: len(looks) > 3, "two seconds of silence")
    assert len(deaf) == made  # a publisher that pauses is left alone
