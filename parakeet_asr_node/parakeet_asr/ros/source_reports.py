"""How a source fares, said in the log and on the topic `state`."""

from __future__ import annotations

from typing import Any

from parakeet_asr_msgs.msg import State
from rclpy.clock import Clock, ClockType
from rclpy.lifecycle import LifecycleNode

from parakeet_asr.core.session_contract import Session
from parakeet_asr.errors import AudioError
from parakeet_asr.ros.outputs import Outputs

REPORT_PERIOD_S = 5.0  # the same complaint at most this often
WATCH_PERIOD_S = 1.0


class SourceReports:
    """Tells people about trouble, its end, and jumps of the stamps. May be called on any thread."""

    def __init__(self, node: LifecycleNode, outputs: Outputs, session: Session) -> None:
        """Watch ``session`` until :meth:`close`."""
        self._node = node
        self._outputs = outputs
        self._session = session
        self.troubled = False  # no sound can be used
        self._jumps = 0  # that were reported
        self._timer: Any = node.create_timer(
            WATCH_PERIOD_S, self._report_jumps, clock=Clock(clock_type=ClockType.STEADY_TIME)
        )

    def close(self) -> None:
        """Watch no more; what was not said yet is said."""
        if self._timer is None:
            return
        self._node.destroy_timer(self._timer)
        self._timer = None
        self._report_jumps()

    def trouble(self, error: AudioError) -> None:
        """No sound can be used until :meth:`recovered`."""
        self.troubled = True
        if self._node.context.ok():
            self._node.get_logger().error(str(error), throttle_duration_sec=REPORT_PERIOD_S)
            self._outputs.state(State.ERROR, str(error))

    def recovered(self) -> None:
        """Sound comes again."""
        if not self.troubled:
            return
        self.troubled = False
        if self._node.context.ok():
            self._node.get_logger().info("sound comes again")
            self._outputs.state(State.LISTENING)

    def ignored(self, error: AudioError) -> None:
        """One chunk could not be used."""
        if self._node.context.ok():
            self._node.get_logger().warning(
                f"a chunk was ignored: {error}", throttle_duration_sec=REPORT_PERIOD_S
            )

    def _report_jumps(self) -> None:
        count, jump = self._session.jumps, self._session.last_jump
        if count == self._jumps or jump is None or not self._node.context.ok():
            return
        self._jumps = count
        missing_s = jump.missing_ns / 1e9
        what = "sound is missing" if missing_s >= 0 else "stamps went back"
        self._node.get_logger().warning(
            f"{what}: stamps and sample counts part by {missing_s:.3f} s; jump {count} since activation",
            throttle_duration_sec=REPORT_PERIOD_S,
        )
