"""What the node says: its publishers."""

from __future__ import annotations

from parakeet_asr_msgs import msg
from rclpy.lifecycle import LifecycleNode
from std_msgs.msg import Bool, String

from parakeet_asr.records import BargeIn, SpeechActivity, Transcript
from parakeet_asr.ros.messages import barge_in_message, transcript_message
from parakeet_asr.ros.qos import STATE, TRANSCRIPTS


class Outputs:
    """Publishes records on the node's topics, from any thread."""

    def __init__(self, node: LifecycleNode) -> None:
        """Create the publishers; all but the state speak only while the node is active."""
        self._node = node
        self._partial = node.create_lifecycle_publisher(msg.Transcript, "partial", TRANSCRIPTS)
        self._final = node.create_lifecycle_publisher(msg.Transcript, "final", TRANSCRIPTS)
        self._text = node.create_lifecycle_publisher(String, "text", TRANSCRIPTS)
        self._activity = node.create_lifecycle_publisher(Bool, "speech_activity", TRANSCRIPTS)
        self._barge_in = node.create_lifecycle_publisher(msg.BargeIn, "barge_in", TRANSCRIPTS)
        self._state = node.create_publisher(msg.State, "state", STATE)
        self._last_state: tuple[int, str] | None = None
        self.muted = False  # what would be LISTENING or SPEECH is MUTED
        self.gated = False  # ... is GATED, where it is not muted

    def transcript(
        self, transcript: Transcript, *, frame_id: str, source: str, language: str, latency_s: float
    ) -> msg.Transcript:
        """Publish a partial, or a final and its text; and give the message."""
        message = transcript_message(
            transcript, frame_id=frame_id, source=source, language=language, latency_s=latency_s
        )
        (self._final if transcript.is_final else self._partial).publish(message)
        if transcript.is_final and transcript.text:
            self._text.publish(String(data=transcript.text))
        return message

    def activity(self, activity: SpeechActivity) -> None:
        """Speech began or ended."""
        self._activity.publish(Bool(data=activity.active))

    def barge_in(self, event: BargeIn, frame_id: str) -> None:
        """A person interrupts the robot."""
        self._barge_in.publish(barge_in_message(event, frame_id))

    def state(self, state: int, text: str = "") -> None:
        """What the node is doing now; said once."""
        if state in (msg.State.LISTENING, msg.State.SPEECH):
            state = msg.State.MUTED if self.muted else msg.State.GATED if self.gated else state
        if (state, text) == self._last_state:
            return
        self._last_state = (state, text)
        self._state.publish(msg.State(stamp=self._node.get_clock().now().to_msg(), state=state, text=text))
