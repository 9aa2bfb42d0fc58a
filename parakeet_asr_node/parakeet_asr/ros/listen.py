"""The action ``listen``: one utterance for who asks, with an end in every case.

A goal is a coroutine that waits for its result; events of the worker's thread, timers of the node's
clock, cancellation, another goal and lifecycle transitions all only try to give that result, and the
first one does. So nothing here keeps the executor, whatever its kind, and no goal can hang.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future as WorkersFuture
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any

from parakeet_asr_msgs.action import Listen
from parakeet_asr_msgs.msg import Transcript
from rclpy.action import ActionServer, CancelResponse
from rclpy.lifecycle import LifecycleNode
from rclpy.task import Future

from parakeet_asr.ros.controls import NOT_LISTENING
from parakeet_asr.ros.listener import Listener
from parakeet_asr.ros.messages import NANOSECONDS, stamp_ns

OK = Listen.Result.OK
NO_SPEECH = Listen.Result.NO_SPEECH
TIMEOUT = Listen.Result.TIMEOUT
CANCELED = Listen.Result.CANCELED
ERROR = Listen.Result.ERROR


class _Speech(Enum):
    """What the goal has heard."""

    UNHEARD = auto()  # the worker still has sound from before the goal
    NONE = auto()
    OPEN = auto()


@dataclass(slots=True, eq=False)
class Goal:
    """One goal until it has its result."""

    handle: Any
    result: Any  # a future; its result is the action's
    speech: _Speech = _Speech.UNHEARD
    start_is_over: bool = False  # speech that begins now comes too late
    last: Transcript = field(default_factory=Transcript)
    timers: list[Any] = field(default_factory=list)
    ended: bool = False


class ListenServer:
    """At most one goal at a time: a new one ends the one before."""

    def __init__(
        self,
        node: LifecycleNode,
        default_timeout_s: Callable[[], float],
        listener: Callable[[], Listener | None],
    ) -> None:
        """Offer the action.

        Args:
            node: offers it, and its clock measures the time.
            default_timeout_s: for goals that set none.
            listener: gives the one there is now.
        """
        self._node = node
        self._default_timeout_s = default_timeout_s
        self._listener = listener
        self._lock = threading.Lock()  # events come on the worker's thread, all else on the executor's
        self.goal: Goal | None = None
        self._results: dict[bytes, Any] = {}  # of goals that were accepted and whose coroutine has not ended
        self._server = ActionServer(
            node,
            Listen,
            "listen",
            self._execute,
            handle_accepted_callback=self._accept,
            cancel_callback=self._cancel,
        )

    def end(self, message: str) -> None:
        """End the goal, if there is one, because of what happened to the node."""
        self._end(self.goal, ERROR, message)

    def hear(self, event: bool | Transcript) -> None:
        """Speech began or ended, or a transcript came; in the order of the stream, on the worker's thread."""
        goal = self.goal
        if goal is None or goal.speech is _Speech.UNHEARD:
            return
        if isinstance(event, bool):
            goal.speech = _Speech.OPEN if event else _Speech.NONE
            if not event and not goal.last.text and goal.start_is_over:
                self._end(goal, NO_SPEECH, "what was heard held no words")
        elif not event.is_final:
            goal.last = event
            goal.handle.publish_feedback(Listen.Feedback(transcript=event))
        elif event.text:
            goal.last = event
            self._end(goal, OK, "")
        else:
            goal.last = Transcript()
            if goal.start_is_over:
                self._end(goal, NO_SPEECH, "what was heard held no words")

    def destroy(self) -> None:
        """Offer the action no more."""
        self._server.destroy()

    # --- called by the executor -----------------------------------------------------------------

    def _accept(self, handle: Any) -> None:
        self._end(self.goal, CANCELED, "another goal took its place")
        goal = Goal(handle, Future(executor=self._node.executor))
        self._results[bytes(handle.goal_id.uuid)] = goal.result
        with self._lock:
            self.goal = goal
        handle.execute()
        listener = self._listener()
        if reason := _why_not(listener):
            self._end(goal, ERROR, reason)
        elif listener is not None:
            self._begin(goal, listener)

    def _begin(self, goal: Goal, listener: Listener) -> None:
        request = goal.handle.request
        timeout_s = _seconds(request.timeout) or self._default_timeout_s()
        self._set_timer(goal, timeout_s, self._on_timeout)
        if start_timeout_s := _seconds(request.start_timeout):
            self._set_timer(goal, start_timeout_s, self._on_start_timeout)
        begun = listener.options.begin_goal(_seconds(request.end_silence), list(request.phrases))
        begun.add_done_callback(lambda future: self._on_begun(goal, future))

    def _set_timer(self, goal: Goal, delay_s: float, callback: Callable[[Goal, float], None]) -> None:
        goal.timers.append(self._node.create_timer(max(1e-3, delay_s), lambda: callback(goal, delay_s)))

    def _cancel(self, handle: Any) -> CancelResponse:
        goal = self.goal
        if goal is None or goal.handle is not handle:
            return CancelResponse.REJECT  # it has ended
        self._end(goal, CANCELED, "canceled by the client")
        return CancelResponse.ACCEPT

    def _on_timeout(self, goal: Goal, delay_s: float) -> None:
        if goal.speech is _Speech.OPEN or goal.last.text:
            self._end(goal, TIMEOUT, f"the utterance did not end within {delay_s:g} s")
        else:
            self._end(goal, NO_SPEECH, f"nobody spoke within {delay_s:g} s")

    def _on_start_timeout(self, goal: Goal, delay_s: float) -> None:
        goal.start_is_over = True
        if goal.speech is not _Speech.OPEN:
            self._end(goal, NO_SPEECH, f"nobody began to speak within {delay_s:g} s")

    async def _execute(self, handle: Any) -> Any:
        result = await self._results[bytes(handle.goal_id.uuid)]
        del self._results[bytes(handle.goal_id.uuid)]
        if result.outcome == OK:
            handle.succeed()
        elif handle.is_cancel_requested:
            handle.canceled()
        else:
            handle.abort()
        return result

    # --- called on any thread -------------------------------------------------------------------

    def _on_begun(self, goal: Goal, begun: WorkersFuture[bool]) -> None:
        if begun.cancelled() or begun.exception() is not None:
            reason = "listening ended" if begun.cancelled() else str(begun.exception())
            self._end(goal, ERROR, reason)
        else:
            goal.speech = _Speech.OPEN if begun.result() else _Speech.NONE

    def _end(self, goal: Goal | None, outcome: int, message: str) -> None:
        """Give the goal its result, unless it has one."""
        with self._lock:
            if goal is None or goal.ended:
                return
            goal.ended = True
            if self.goal is goal:
                self.goal = None
        transcript = Transcript() if outcome == NO_SPEECH else goal.last
        goal.result.set_result(Listen.Result(outcome=outcome, transcript=transcript, message=message))
        listener = self._listener()
        if listener is not None:
            listener.options.end_goal()
        executor = self._node.executor
        if executor is not None:
            executor.create_task(self._forget_timers, goal)  # on the executor's thread, and it wakes it

    def _forget_timers(self, goal: Goal) -> None:
        for timer in goal.timers:
            self._node.destroy_timer(timer)
        goal.timers.clear()


def _why_not(listener: Listener | None) -> str:
    """Why nothing can be heard now; empty when it can."""
    if listener is None or listener.hearing is None:
        return NOT_LISTENING
    if not listener.switches.enabled:
        return "listening is switched off; see ~/set_enabled"
    return "muted; see ~/set_muted" if listener.switches.muted else ""


def _seconds(duration: Any) -> float:
    return max(0.0, stamp_ns(duration) / NANOSECONDS)
