"""Loads a model as the parameters say, and tells how far it is."""

from __future__ import annotations

import threading
import time
from typing import Any

from parakeet_asr_msgs.msg import State
from rclpy.clock import Clock, ClockType
from rclpy.lifecycle import LifecycleNode

from parakeet_asr.errors import ParakeetError
from parakeet_asr.loader import Model, load_model
from parakeet_asr.ros.outputs import Outputs
from parakeet_asr.ros.parameters import Values, guard_options

PROGRESS_PERIOD_S = 5.0  # an engine that is built for this device may take minutes


class Loading:
    """May be called on any thread; the executor tells the progress, if it is free to."""

    def __init__(self, node: LifecycleNode, outputs: Outputs) -> None:
        """Nothing is being loaded."""
        self._node = node
        self._outputs = outputs
        self._idle = threading.Event()
        self._idle.set()

    @property
    def active(self) -> bool:
        """Whether a model is being loaded."""
        return not self._idle.is_set()

    def wait(self, timeout_s: float) -> bool:
        """Wait until nothing is being loaded; False when it takes longer."""
        return self._idle.wait(timeout_s)

    def load(self, values: Values) -> tuple[Model, float]:
        """A model that was run once, and the seconds that it took.

        Raises:
            ParakeetError: see :func:`parakeet_asr.loader.load_model`.
        """
        name, began_s = str(values["model"]), time.monotonic()
        doing = "loading"

        def tell() -> None:
            self._node.get_logger().info(f"{doing} {name}: {time.monotonic() - began_s:.0f} s so far")

        self._idle.clear()
        timer: Any = self._node.create_timer(
            PROGRESS_PERIOD_S, tell, clock=Clock(clock_type=ClockType.STEADY_TIME)
        )
        try:
            self._show(doing, name)
            model = load_model(
                name,
                engine=values["engine"],  # type: ignore[arg-type]  # checked against the choices
                device=values["device"],  # type: ignore[arg-type]
                threads=int(values["threads"]) or None,
                guard=guard_options(values),
                fallback=values["engine_fallback"],  # type: ignore[arg-type]
                rebuild=bool(values["engine_rebuild"]),
            )
            doing = "warming up"
            self._show(doing, name)
            try:
                model.warm_up()
            except ParakeetError:
                model.close()
                raise
        finally:
            if self._node.context.ok():
                self._node.destroy_timer(timer)
            self._idle.set()
        return model, time.monotonic() - began_s

    def _show(self, doing: str, name: str) -> None:
        if self._node.context.ok():
            self._node.get_logger().info(f"{doing} {name}")
            self._outputs.state(State.LOADING, name)
