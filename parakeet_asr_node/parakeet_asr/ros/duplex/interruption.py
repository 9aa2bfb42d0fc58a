"""A person interrupts: the goal of the action that talks is canceled."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from action_msgs.srv import CancelGoal
from rclpy.lifecycle import LifecycleNode


class GoalCanceler:
    """Cancels goals of an action of any type. :meth:`cancel` may be called on any thread."""

    def __init__(self, node: LifecycleNode, action: str, goals: Callable[[], tuple[bytes, ...]]) -> None:
        """Be ready.

        Args:
            node: asks.
            action: its name.
            goals: ids of those that are being executed.
        """
        self._node = node
        self._action = action
        self._goals = goals
        self._client: Any = node.create_client(CancelGoal, f"{action}/_action/cancel_goal")
        self._wanted: deque[None] = deque()
        self._guard: Any = node.create_guard_condition(self._ask)

    def cancel(self) -> None:
        """Ask the server to stop what it is doing; the asking is done by the executor."""
        self._wanted.append(None)
        self._guard.trigger()

    def close(self) -> None:
        """Ask no more."""
        self._node.destroy_guard_condition(self._guard)
        self._node.destroy_client(self._client)

    def _ask(self) -> None:
        if not self._wanted:
            return
        self._wanted.clear()
        if not self._client.service_is_ready():
            self._node.get_logger().warning(f"cannot cancel: action {self._action} has no server")
            return
        for goal_id in self._goals():
            request = CancelGoal.Request()
            request.goal_info.goal_id.uuid = list(goal_id)
            self._client.call_async(request).add_done_callback(self._on_answer)

    def _on_answer(self, future: Any) -> None:
        code = future.result().return_code
        if code not in (CancelGoal.Response.ERROR_NONE, CancelGoal.Response.ERROR_GOAL_TERMINATED):
            self._node.get_logger().warning(f"{self._action} did not cancel its goal (code {code})")
