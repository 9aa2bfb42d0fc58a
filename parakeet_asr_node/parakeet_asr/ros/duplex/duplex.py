"""Duplex on the graph: witnesses in, barge-in and the gate's state out."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from rclpy.clock import Clock, ClockType
from rclpy.lifecycle import LifecycleNode

from parakeet_asr.core.duplex.options import DuplexOptions
from parakeet_asr.core.duplex.session import DuplexSession
from parakeet_asr.errors import AudioError
from parakeet_asr.records import AudioChunk, BargeIn, EndReason
from parakeet_asr.ros.audio_topic import TopicSource
from parakeet_asr.ros.duplex.interruption import GoalCanceler
from parakeet_asr.ros.duplex.settings import DuplexSources
from parakeet_asr.ros.duplex.witnesses import ActionWitness, BoolWitness, TextWitness, TopicWitness

InTurn = Callable[[Callable[[], None]], "Future[None]"]
"""Calls a function on the thread that owns the session, in the order of the sound."""

VOUCH_PERIOD_S = 0.25
PAUSE_S = 0.5  # a loudspeaker that was heard and is silent for longer: nobody vouches any more
REPORT_PERIOD_S = 5.0


class Duplex:
    """Exists while the node listens. Its methods are for the executor's thread unless they say otherwise."""

    def __init__(
        self,
        node: LifecycleNode,
        sources: DuplexSources,
        session: DuplexSession,
        in_turn: InTurn,
    ) -> None:
        """Watch what ``sources`` names, from now on.

        Args:
            node: subscribes, and has the clock of the audio's stamps.
            sources: what is watched.
            session: is told.
            in_turn: on the thread that owns it.

        Raises:
            AudioFormatError: the playback topic cannot be subscribed.
        """
        self._node = node
        self._session = session
        self._in_turn = in_turn
        self._witnesses: list[TopicWitness] = []
        self._text: TextWitness | None = None
        self._playback: TopicSource | None = None
        self._canceler: GoalCanceler | None = None
        self._played_s: float | None = None  # when the loudspeaker was last given sound, time.monotonic
        shared = (self, self._now_ns, sources.longest_s)
        if sources.action:
            action = ActionWitness(node, sources.action, *shared, self._on_interrupted)
            self._witnesses.append(action)
            if sources.cancel_action:
                self._canceler = GoalCanceler(node, sources.action, lambda: action.goals)
        if sources.speaking_topic:
            self._witnesses.append(BoolWitness(node, sources.speaking_topic, *shared))
        if sources.text_topic:
            self._text = TextWitness(node, sources.text_topic, self._on_text)
        if sources.playback_topic:
            self._playback = TopicSource(node, sources.playback_topic, _PlaybackReports(node))
            self._playback.start(_PlaybackSink(self._on_playback))
        self._timer: Any = node.create_timer(
            VOUCH_PERIOD_S, self._vouch, clock=Clock(clock_type=ClockType.STEADY_TIME)
        )

    def close(self) -> None:
        """Watch no more."""
        self._node.destroy_timer(self._timer)
        for witness in (*self._witnesses, self._text, self._playback):
            if witness is not None:
                witness.stop()
        if self._canceler is not None:
            self._canceler.close()

    @property
    def speaking(self) -> tuple[str, ...]:
        """Names of the witnesses whose last word was that the robot speaks."""
        return tuple(witness.name for witness in self._witnesses if witness.speaking)

    def set_options(self, options: DuplexOptions) -> None:
        """Go on with other options, behind the sound that has come until now."""
        self._tell(lambda: self._session.set_duplex_options(options))

    def interrupt(self, event: BargeIn) -> None:
        """A person interrupts: what talks is asked to stop, where that is wanted. On any thread."""
        del event
        if self._canceler is not None:
            self._canceler.cancel()

    # --- what witnesses say -----------------------------------------------------------------------

    def began(self, witness: str, stamp_ns: int) -> None:
        """The robot speaks from this time on."""
        self._tell(lambda: self._session.timeline.began(witness, stamp_ns))

    def ended(self, witness: str, stamp_ns: int) -> None:
        """The robot is silent from this time on."""
        self._tell(lambda: self._session.timeline.ended(witness, stamp_ns))

    def heartbeat(self, witness: str, stamp_ns: int) -> None:
        """What the witness said last still holds at this time."""
        self._tell(lambda: self._session.timeline.heartbeat(witness, stamp_ns))

    def _on_text(self, text: str) -> None:
        now_ns = self._now_ns()
        self._tell(lambda: self._session.said(text, now_ns))

    def _on_playback(self, chunk: AudioChunk) -> None:
        self._played_s = time.monotonic()
        self._tell(lambda: self._session.push_playback(chunk))

    def _on_interrupted(self, stamp_ns: int) -> None:
        """What was handed to the loudspeaker ahead of its time is not played."""
        if self._playback is not None:
            self._tell(lambda: self._session.stop_playback(stamp_ns))

    def _vouch(self) -> None:
        if self._played_s is not None and time.monotonic() - self._played_s > PAUSE_S:
            return  # an action that goes on while its sound has stopped: the watchdog decides
        for witness in self._witnesses:
            witness.vouch()

    def _tell(self, function: Callable[[], None]) -> None:
        self._in_turn(function).add_done_callback(self._report)

    def _report(self, future: Future[None]) -> None:
        if not future.cancelled() and (error := future.exception()) and self._node.context.ok():
            self._node.get_logger().error(f"duplex: {error!r}", throttle_duration_sec=REPORT_PERIOD_S)

    def _now_ns(self) -> int:
        return int(self._node.get_clock().now().nanoseconds)


class _PlaybackSink:
    """Takes the loudspeaker's sound; see :class:`parakeet_asr.sources.source.AudioSink`."""

    def __init__(self, on_chunk: Callable[[AudioChunk], None]) -> None:
        self._on_chunk = on_chunk

    def submit(self, chunk: AudioChunk) -> bool:
        self._on_chunk(chunk)
        return True

    def submit_blocking(self, chunk: AudioChunk) -> None:
        self._on_chunk(chunk)

    def finish(self, reason: EndReason) -> None:
        del reason


class _PlaybackReports:
    """Tells people about trouble with the loudspeaker's sound; the microphone's goes on."""

    def __init__(self, node: LifecycleNode) -> None:
        self._node = node

    def trouble(self, error: AudioError) -> None:
        self._say(f"what is played cannot be used: {error}")

    def recovered(self) -> None:
        self._node.get_logger().info("what is played can be used again")

    def ignored(self, error: AudioError) -> None:
        self._say(f"a chunk of what is played was ignored: {error}")

    def _say(self, text: str) -> None:
        if self._node.context.ok():
            self._node.get_logger().warning(text, throttle_duration_sec=REPORT_PERIOD_S)
