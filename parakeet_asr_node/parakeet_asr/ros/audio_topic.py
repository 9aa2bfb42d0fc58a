"""An audio topic as a source, whatever its type."""

from __future__ import annotations

import time
from typing import Any, Protocol

from rclpy.clock import Clock, ClockType
from rclpy.lifecycle import LifecycleNode

from parakeet_asr.errors import AudioError, AudioFormatError
from parakeet_asr.ros.audio_readers import AudioReader, DataReader, Declared, Sound
from parakeet_asr.ros.audio_types import INFO_TYPE, OUR_TYPE, choose_type, info_class, open_type
from parakeet_asr.ros.messages import NANOSECONDS
from parakeet_asr.ros.qos import STATE, audio_profile
from parakeet_asr.sources.resampling import StampedResampler
from parakeet_asr.sources.source import AudioSink, SourceObserver
from parakeet_asr.sources.stamps import CountedStamps

MATCH_PERIOD_S = 0.25  # how soon a publisher of another type is followed
FLOWS_S = 1.0  # a stream whose last message is younger than that is left alone
REMATCH_S, REMATCH_LONGEST_S = 3.0, 30.0  # without a message from publishers that are there; doubles
BAD_IN_A_ROW = 3  # chunks that cannot be used, until that is called trouble


class TopicObserver(SourceObserver, Protocol):
    """Is told how a topic fares."""

    def ignored(self, error: AudioError) -> None:
        """One message could not be used."""
        ...


class TopicSource:
    """Subscribes, converts and hands on; nothing here waits.

    Listens to our own type until somebody publishes another one that is understood, and then to that.
    """

    def __init__(
        self,
        node: LifecycleNode,
        topic: str,
        observer: TopicObserver,
        *,
        type_name: str = "auto",
        declared: Declared | None = None,
        frame_id: str = "",
    ) -> None:
        """Listen to ``topic`` (relative names and remapping work) with ``node``.

        Args:
            node: subscribes.
            topic: its name.
            observer: is told about trouble.
            type_name: one of TYPE_NAMES of :mod:`parakeet_asr.ros.audio_types`, or "auto".
            declared: what is known of sound that does not describe itself.
            frame_id: coordinate frame of the microphone, for messages that name none.
        """
        self._node = node
        self._topic: str = node.resolve_topic_name(topic)
        self._observer = observer
        self._fixed = type_name != "auto"
        self._declared = declared or Declared()
        self._default_frame_id = frame_id
        self._sink: AudioSink | None = None
        self._timer: Any = None
        self._subscriptions: list[Any] = []
        self._profile: Any = None
        self._reader: AudioReader | None = None
        self._resampler = StampedResampler()
        self._stamps = CountedStamps()
        self._last_s = -FLOWS_S  # when the last message came, time.monotonic
        self._subscribed_s = 0.0  # when that was last done
        self._rematch_s = REMATCH_S  # after so long it is done again
        self._mismatch = False  # no publisher can be listened to
        self._bad_in_a_row = 0
        self._lost_before = 0  # by readers of types that were left
        self._gap = False
        self.type_name = type_name if self._fixed else OUR_TYPE
        self.frame_id = frame_id
        self.received = 0  # messages
        self.bad = 0  # messages that could not be understood

    @property
    def name(self) -> str:
        """The topic, resolved."""
        return self._topic

    @property
    def lost(self) -> int:
        """Messages that are missing by their sequence."""
        return self._lost_before + (self._reader.lost if self._reader is not None else 0)

    def start(self, sink: AudioSink) -> None:
        """Subscribe, and follow the type and the quality of service that the publishers offer.

        Raises:
            AudioFormatError: the type that the parameters name is not installed.
        """
        self._sink = sink
        if self._fixed:
            open_type(self.type_name, self._declared)
        self._match()
        if not self._subscriptions:  # of a type that is not understood: ours may come, too
            self._subscribe(self.type_name, audio_profile([]))
        self._timer = self._node.create_timer(
            MATCH_PERIOD_S, self._match, clock=Clock(clock_type=ClockType.STEADY_TIME)
        )

    def stop(self) -> None:
        """Unsubscribe."""
        if self._sink is not None:
            self._hand_on_rest(self._sink)
        self._sink = None
        if self._timer is not None:
            self._node.destroy_timer(self._timer)
            self._timer = None
        self._unsubscribe()

    # --- following the publishers --------------------------------------------------------------

    def _publishers(self) -> list[Any]:
        return list(self._node.get_publishers_info_by_topic(self._topic))

    def _match(self) -> None:
        """Follow publishers that came later; a stream that flows is left alone."""
        if self._subscriptions and time.monotonic() - self._last_s < FLOWS_S:
            return
        publishers = self._publishers()
        try:
            wanted = self._wanted_type([info.topic_type for info in publishers])
            self._follow(wanted, [info for info in publishers if info.topic_type == wanted])
        except AudioFormatError as error:
            self._mismatch = True
            self._observer.trouble(AudioFormatError(f"{self._topic}: {error}"))
            return
        self._forget_stale_info()
        if self._mismatch:
            self._mismatch = False
            self._observer.recovered()

    def _follow(self, type_name: str, publishers: list[Any]) -> None:
        profile = audio_profile(publishers)
        if self._subscriptions and type_name != self.type_name:
            # A participant has one type per topic, and the executor may still hold the old subscription:
            # the new one comes with the next look.
            open_type(type_name, self._declared)  # raises before the old one is given up
            self._unsubscribe()
        elif not self._subscriptions or profile.reliability != self._profile.reliability:
            self._subscribe(type_name, profile)
        elif publishers and self._never_matched():
            self._rematch_s = min(2 * self._rematch_s, REMATCH_LONGEST_S)
            self._node.get_logger().warning(f"{self._topic}: has publishers, but no sound; subscribing anew")
            self._subscribe(type_name, profile)

    def _never_matched(self) -> bool:
        """DDS now and then does not bring two together that know of each other."""
        if self._last_s > self._subscribed_s or time.monotonic() - self._subscribed_s < self._rematch_s:
            return False
        count = getattr(self._subscriptions[0], "get_publisher_count", None)  # Humble has none
        return count is None or count() == 0

    def _wanted_type(self, offered: list[str]) -> str:
        if not self._fixed:
            return choose_type(offered, self.type_name)
        if offered and self.type_name not in offered:
            raise AudioFormatError(
                f"the publishers are of type {', '.join(sorted(set(offered)))}, but audio.topic_type is "
                f"{self.type_name}; set it to auto, or listen to another topic"
            )
        return self.type_name

    def _subscribe(self, type_name: str, profile: Any) -> None:
        if type_name != self.type_name or self._reader is None:
            message_class, reader = open_type(type_name, self._declared)
            if self._reader is not None:
                self._lost_before += self._reader.lost
                self._gap = True
                self._node.get_logger().info(f"{self._topic}: listening for {type_name} from now on")
            self._reader, self._message_class = reader, message_class
            self.type_name, self.frame_id = type_name, self._default_frame_id
        self._unsubscribe()
        self._profile, self._subscribed_s = profile, time.monotonic()
        topics: list[tuple[Any, str, Any, Any]] = [
            (self._message_class, self._topic, self._on_message, profile)
        ]
        if isinstance(self._reader, DataReader):
            topics.append((info_class(), self._info_topic, self._reader.describe, STATE))
        try:
            self._subscriptions = [self._node.create_subscription(*topic) for topic in topics]
        except RuntimeError as error:  # rclpy's RCLError
            raise AudioFormatError(
                f"cannot subscribe as {type_name}: {error}; does this process use the topic otherwise?"
            ) from error

    def _unsubscribe(self) -> None:
        for subscription in self._subscriptions:
            self._node.destroy_subscription(subscription)
        self._subscriptions = []

    @property
    def _info_topic(self) -> str:
        """Beside the topic itself, where audio_capture of ros-drivers publishes it."""
        return f"{self._topic.rpartition('/')[0]}/audio_info"

    def _forget_stale_info(self) -> None:
        if isinstance(self._reader, DataReader) and self._subscriptions:
            infos = self._node.get_publishers_info_by_topic(self._subscriptions[1].topic_name)
            if not any(info.topic_type == INFO_TYPE for info in infos):
                self._reader.describe(None)

    # --- messages -------------------------------------------------------------------------------

    def _on_message(self, message: Any) -> None:
        if self._sink is None or self._reader is None:
            return
        arrived_ns = int(self._node.get_clock().now().nanoseconds)
        self._last_s, self._rematch_s = time.monotonic(), REMATCH_S
        self.received += 1
        try:
            self._hand_on(self._reader.read(message), arrived_ns, self._sink)
        except AudioFormatError as error:
            self._on_bad(error)
            return
        if self._bad_in_a_row >= BAD_IN_A_ROW:
            self._observer.recovered()
        self._bad_in_a_row = 0

    def _hand_on(self, sound: Sound, arrived_ns: int, sink: AudioSink) -> None:
        duration_ns = len(sound.samples) * NANOSECONDS // max(1, sound.rate_hz)
        stamp_ns, recounted = self._stamps.stamp(sound.stamp_ns, duration_ns, arrived_ns)
        gap = self._gap or sound.gap or recounted
        for chunk in self._resampler.push(sound.samples, sound.rate_hz, stamp_ns, gap=gap):
            sink.submit(chunk)
        self._gap = False
        self.frame_id = sound.frame_id or self._default_frame_id

    def _hand_on_rest(self, sink: AudioSink) -> None:
        for chunk in self._resampler.flush():
            sink.submit(chunk)

    def _on_bad(self, error: AudioFormatError) -> None:
        self.bad += 1
        self._bad_in_a_row += 1
        if self._bad_in_a_row < BAD_IN_A_ROW:
            self._observer.ignored(error)
        else:
            self._observer.trouble(AudioFormatError(f"{self._topic} cannot be used: {error}"))
