"""Which quality of service each topic has, and why."""

from __future__ import annotations

from typing import Any

from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy


def _profile(reliability: ReliabilityPolicy, durability: DurabilityPolicy, depth: int) -> QoSProfile:
    return QoSProfile(
        reliability=reliability, durability=durability, history=HistoryPolicy.KEEP_LAST, depth=depth
    )


# A late joiner must not act on what was said before it came: volatile.
TRANSCRIPTS = _profile(ReliabilityPolicy.RELIABLE, DurabilityPolicy.VOLATILE, 10)

# Whoever joins wants to know what is the case now: the last one is kept.
STATE = _profile(ReliabilityPolicy.RELIABLE, DurabilityPolicy.TRANSIENT_LOCAL, 1)

AUDIO_DEPTH = 50  # chunks; 5 s of the usual 100 ms, while the executor is busy


def audio_profile(publishers: list[Any]) -> QoSProfile:
    """The most that every publisher of a topic offers.

    Best effort matches every publisher, reliable only reliable ones, and one mismatch is silence. (The
    BEST_AVAILABLE of Jazzy does the same; Humble has none.)

    Args:
        publishers: what ``Node.get_publishers_info_by_topic`` gives.
    """
    offers = {info.qos_profile.reliability for info in publishers}
    reliability = (
        ReliabilityPolicy.RELIABLE
        if offers == {ReliabilityPolicy.RELIABLE}
        else ReliabilityPolicy.BEST_EFFORT
    )
    return _profile(reliability, DurabilityPolicy.VOLATILE, AUDIO_DEPTH)
