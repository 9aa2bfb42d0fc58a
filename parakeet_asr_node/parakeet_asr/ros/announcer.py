"""What is said of what is heard: events of the session as messages, and the state that goes with them."""

from __future__ import annotations

from collections.abc import Callable

from parakeet_asr_msgs import msg
from parakeet_asr_msgs.msg import State
from rclpy.lifecycle import LifecycleNode

from parakeet_asr.records import BargeIn, Event, Gated, SpeechActivity, Transcript
from parakeet_asr.ros.health import Latencies
from parakeet_asr.ros.hearing import Hearing, Switches
from parakeet_asr.ros.outputs import Outputs
from parakeet_asr.ros.source_reports import REPORT_PERIOD_S

OnEvent = Callable[["bool | msg.Transcript"], None]
"""Is told, on the worker's thread, that speech began (True) or ended (False), and every transcript."""


class Announcer:
    """Called on the threads of the worker and of the source."""

    def __init__(
        self,
        node: LifecycleNode,
        outputs: Outputs,
        switches: Switches,
        language: str,
        hearing: Callable[[], Hearing | None],
        on_event: OnEvent,
    ) -> None:
        """Say nothing yet.

        Args:
            node: logs.
            outputs: publish.
            switches: what people have switched.
            language: what the model understands.
            hearing: gives the one there is now; without one nothing is said.
            on_event: is told, too.
        """
        self._node = node
        self._outputs = outputs
        self._switches = switches
        self._language = language
        self._hearing = hearing
        self._on_event = on_event
        self.latencies = Latencies()
        self.speaking = False  # somebody is

    def publish(self, event: Event, latency_s: float) -> None:
        """What the session found, ``latency_s`` after its last sample arrived."""
        hearing = self._hearing()
        if hearing is None or not self._node.context.ok():
            return
        if isinstance(event, SpeechActivity):
            self._activity(event, hearing)
        elif isinstance(event, Gated):
            self.gated(event.active)
        elif isinstance(event, BargeIn):
            hearing.duplex.interrupt(event)
            self._outputs.barge_in(event, hearing.source.frame_id)
        else:
            self._transcript(event, hearing, latency_s)

    def listening(self) -> None:
        """It listens now, unless there is something else to say."""
        hearing = self._hearing()
        if hearing is not None and not self.speaking and not hearing.reports.troubled:
            self._outputs.state(State.LISTENING)

    def muted(self, muted: bool) -> None:
        """A mute began or ended."""
        self._outputs.muted = muted
        if self._switches.enabled:
            self._outputs.state(State.SPEECH if self.speaking else State.LISTENING)

    def switched_off(self) -> None:
        """It does not listen, because somebody said so."""
        if not self._switches.enabled:
            self._outputs.state(State.IDLE, "switched off by set_enabled")

    def failed(self, error: Exception) -> None:
        """Recognition failed; an utterance is lost."""
        if self._node.context.ok():
            self._node.get_logger().error(
                f"an utterance is lost: {error!r}", throttle_duration_sec=REPORT_PERIOD_S
            )
            self._outputs.state(State.ERROR, str(error))

    def file_ended(self, error: Exception | None) -> None:
        """A file is over, or ended early because of ``error``."""
        if not self._node.context.ok():
            return
        if error is None:
            self._node.get_logger().info("the file is over")
        else:
            self._node.get_logger().error(f"the file ended early: {error}")
            self._outputs.state(State.ERROR, str(error))

    def _activity(self, event: SpeechActivity, hearing: Hearing) -> None:
        self.speaking = event.active
        self._outputs.activity(event)
        if self._switches.enabled:
            self._outputs.state(State.SPEECH if event.active else State.LISTENING)
        self._tell(event.active, hearing)

    def gated(self, gated: bool) -> None:
        """The gate was closed or opened; a session that forgets all opens it without a word."""
        if gated == self._outputs.gated:
            return
        self._outputs.gated = gated
        if self._switches.enabled:
            self._outputs.state(State.SPEECH if self.speaking else State.LISTENING)

    def _transcript(self, event: Transcript, hearing: Hearing, latency_s: float) -> None:
        self.latencies.add(latency_s)
        message = self._outputs.transcript(
            event,
            frame_id=hearing.source.frame_id,
            source=hearing.source.name,
            language=self._language,
            latency_s=latency_s,
        )
        self._tell(message, hearing)

    def _tell(self, event: bool | msg.Transcript, hearing: Hearing) -> None:
        self._on_event(event)
        if hearing.live_speech is not None:
            hearing.live_speech.hear(event)
