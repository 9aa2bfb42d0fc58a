"""Work on other threads, awaited by callbacks that are coroutines: the executor goes on meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future as ThreadsFuture
from typing import Any, TypeVar

from rclpy.node import Node
from rclpy.task import Future

Result = TypeVar("Result")


async def result_of(node: Node, work: ThreadsFuture[Result]) -> Result:
    """The result of ``work``, or what it raised. For callbacks in a group that lets others in meanwhile."""
    executor: Any = node.executor
    finished: Any = Future(executor=executor)

    def finish(_: Any) -> None:
        finished.set_result(None)
        executor.wake()  # it does not look at what waits before something else happens

    work.add_done_callback(finish)
    await finished
    return work.result()


def in_thread(function: Callable[[], Result], name: str) -> ThreadsFuture[Result]:
    """Call ``function`` on a thread of its own, which does not keep the process from ending."""
    future: ThreadsFuture[Result] = ThreadsFuture()

    def run() -> None:
        try:
            future.set_result(function())
        except Exception as error:
            future.set_exception(error)

    threading.Thread(target=run, name=name, daemon=True).start()
    return future


def resolved(result: Result) -> ThreadsFuture[Result]:
    """What needs no waiting."""
    future: ThreadsFuture[Result] = ThreadsFuture()
    future.set_result(result)
    return future
