"""The lifecycle node: sound in, transcripts out.

    configure   load the model and warm it up          -> IDLE
    activate    open the source, start the worker      -> LISTENING, SPEECH
    deactivate  close the source, end the utterance    -> IDLE
    cleanup     give the engine's memory back

The source's callbacks only put samples into the worker's bounded queue; the worker's thread recognizes
and publishes. Models are loaded on a thread of their own while services answer, and deactivate waits for what
was said last without keeping the executor (ros/transitions.py).
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from concurrent.futures import Future
from typing import Any

import rclpy
from parakeet_asr_msgs.msg import State
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.lifecycle import LifecycleNode, TransitionCallbackReturn

from parakeet_asr.errors import ParakeetError, WorkerError
from parakeet_asr.loader import Model
from parakeet_asr.ros.controls import Controls
from parakeet_asr.ros.diagnostics import Diagnostics
from parakeet_asr.ros.hearing import Switches
from parakeet_asr.ros.listen import ListenServer
from parakeet_asr.ros.listener import Listener
from parakeet_asr.ros.loading import Loading
from parakeet_asr.ros.memory import return_freed_memory
from parakeet_asr.ros.outputs import Outputs
from parakeet_asr.ros.parameter_server import ParameterServer
from parakeet_asr.ros.parameters import Parameter, Values, session_options
from parakeet_asr.ros.transcription import Transcription
from parakeet_asr.ros.transitions import mend_change_state
from parakeet_asr.ros.waiting import in_thread, resolved, result_of
from parakeet_asr.sources.source import AudioSource

LAST_WORDS_S = 10.0  # how long deactivation waits for what was said before it
LOADED_S = 2.0  # how long the end of the process waits for a model that is being loaded


class AsrNode(LifecycleNode):
    """Speech recognition as a lifecycle node."""

    def __init__(self, **options: Any) -> None:
        """Declare parameters and publishers; the model comes with configure.

        Args:
            options: those of ``rclpy.node.Node``.

        Raises:
            ConfigurationError: a parameter given at the start cannot be used.
        """
        super().__init__("parakeet_asr", **options)
        self._listener: Listener | None = None
        self._switches = Switches()
        self._parameter_server = ParameterServer(self, self._in_use, self._apply)
        self._outputs = Outputs(self)
        self._loading = Loading(self, self._outputs)
        mend_change_state(self, self._hear_out)
        self._controls = Controls(self, self._switches, lambda: self._listener, self._on_switch)
        self.transcription = Transcription(
            self, lambda: str(self.get_parameter("transcribe.folder").value), lambda: self._listener
        )
        self._listen = ListenServer(
            self, lambda: float(self.get_parameter("listen.timeout_s").value), lambda: self._listener
        )
        self._diagnostics = Diagnostics(
            self, float(self.get_parameter("diagnostics.period_s").value), lambda: self._listener
        )
        self._outputs.state(State.UNKNOWN, "no model is loaded")

    @property
    def model(self) -> Model | None:
        """The model, from configure to cleanup."""
        return None if self._listener is None else self._listener.model

    @property
    def listener(self) -> Listener | None:
        """What hears, from configure to cleanup."""
        return self._listener

    @property
    def listens_for_goal(self) -> bool:
        """Whether a goal of the action waits for an utterance."""
        return self._listen.goal is not None

    @property
    def source(self) -> AudioSource | None:
        """Where sound comes from, from activate to deactivate."""
        if self._listener is None or self._listener.hearing is None:
            return None
        return self._listener.hearing.source

    @property
    def loading(self) -> bool:
        """Whether a model is being loaded."""
        return self._loading.active

    async def autostart(self) -> None:
        """Configure and activate, when the parameter says so; a task for the executor."""
        if (
            self.get_parameter("autostart").value
            and await result_of(self, in_thread(self.trigger_configure, "configure"))
            == TransitionCallbackReturn.SUCCESS
        ):
            self.trigger_activate()

    # --- transitions, called by the executor, but configure on a thread of its own ----------------

    def on_configure(self, state: Any) -> TransitionCallbackReturn:
        """Load the model and run it once."""
        del state
        try:
            self._load(self._parameter_server.values())
        except ParakeetError as error:
            return self._refuse("configure", error)
        return TransitionCallbackReturn.SUCCESS

    def on_activate(self, state: Any) -> TransitionCallbackReturn:
        """Listen."""
        super().on_activate(state)  # opens the publishers, before there is something to publish
        try:
            if self._listener is None:
                raise WorkerError("activate was called before configure")
            self._listener.open(self._parameter_server.values())
        except ParakeetError as error:
            super().on_deactivate(state)
            return self._refuse("activate", error)
        return TransitionCallbackReturn.SUCCESS

    def on_deactivate(self, state: Any) -> TransitionCallbackReturn:
        """Listen no more; what was said until now is still recognized and published."""
        self._stop_listening(last_words_s=LAST_WORDS_S)
        self._outputs.state(State.IDLE)
        return super().on_deactivate(state)

    def on_cleanup(self, state: Any) -> TransitionCallbackReturn:
        """Give the model's memory back."""
        del state
        self._release()
        return TransitionCallbackReturn.SUCCESS

    def on_shutdown(self, state: Any) -> TransitionCallbackReturn:
        """Stop everything."""
        del state
        self._release()
        return TransitionCallbackReturn.SUCCESS

    def on_error(self, state: Any) -> TransitionCallbackReturn:
        """After an exception nobody expected: back to the beginning, ready for another configure."""
        del state
        self._release()
        self._outputs.state(State.ERROR, "a transition failed; see the log")
        return TransitionCallbackReturn.SUCCESS

    def close(self) -> None:
        """Stop threads and give memory back, whatever the state; for the end of the process."""
        self._loading.wait(LOADED_S)
        self._release()
        self._listen.destroy()
        self.destroy_node()

    # --- the pieces -----------------------------------------------------------------------------

    def _load(self, values: Values) -> None:
        model, load_s = self._loading.load(values)
        if not self.context.ok():  # nobody waits for it any more
            model.close()
            return
        listener = Listener(self, self._outputs, model, self._switches, self._listen.hear)
        listener.load_s = load_s
        self.get_logger().info(f"{model.description}, from {model.path}, loaded in {load_s:.1f} s")
        self._outputs.state(State.IDLE)
        self._listener = listener

    def _hear_out(self) -> Future[bool]:
        if self._listener is None:
            return resolved(True)
        self._listen.end("the node was deactivated")
        return self._listener.hear_out(LAST_WORDS_S)

    def _stop_listening(self, last_words_s: float) -> None:
        if self._listener is None or self._listener.hearing is None:
            return
        self._listen.end("the node was deactivated")
        name = self._listener.hearing.source.name
        if not self._listener.close(last_words_s):
            self.get_logger().error("what was said last is lost: recognition did not keep up")
        stats = self._listener.stats()
        self._say(
            f"heard {stats.processed_s:.1f} s of {name} in {stats.busy_s:.1f} s; "
            f"dropped {stats.dropped_s:.1f} s, {stats.failures} failures"
        )

    def _say(self, text: str) -> None:
        """Log, unless the process is ending: rosout is gone by then."""
        if self.context.ok():
            self.get_logger().info(text)

    def _release(self) -> None:
        self._stop_listening(last_words_s=0.0)
        listener, self._listener = self._listener, None
        if listener is not None:
            try:
                listener.stop()
            except WorkerError as error:
                self._say(f"{error}")
            listener.model.close()
            del listener
            return_freed_memory()
        if self.context.ok():
            self._outputs.state(State.UNKNOWN, "no model is loaded")

    def _refuse(self, transition: str, error: ParakeetError) -> TransitionCallbackReturn:
        if transition == "configure":
            self._release()
        else:
            self._stop_listening(last_words_s=0.0)
        if self.context.ok():  # otherwise the process is ending, and that is the reason
            self.get_logger().error(f"cannot {transition}: {error}")
            self._outputs.state(State.ERROR, str(error))
        return TransitionCallbackReturn.FAILURE

    def _on_switch(self) -> None:
        if self._switches.muted or not self._switches.enabled:
            self._listen.end("muted" if self._switches.muted else "listening was switched off")

    def _in_use(self, parameter: Parameter) -> str:
        if parameter.taken_by == "configure" and (self._listener is not None or self.loading):
            return "in use by the loaded model; deactivate and clean up first"
        if parameter.taken_by == "activate" and self.source is not None:
            return "in use while listening; deactivate first"
        return ""

    def _apply(self, values: Values) -> None:
        """Dynamic parameters changed; what does not listen takes them when it begins."""
        if self._listener is not None and self._listener.hearing is not None:
            self._listener.options.set_options(session_options(values))
            self._listener.set_duplex_options(values)


def main(args: Sequence[str] | None = None) -> None:
    """Run the node until it is interrupted; 1 when it could not start."""
    # rclpy's own handler ends the spinning. Python's would raise KeyboardInterrupt wherever it is then,
    # and the second of two would cut the end short.
    signal.signal(signal.SIGINT, lambda *_: None)
    rclpy.init(args=args)
    node: AsrNode | None = None
    problem: ParakeetError | None = None
    try:
        node = AsrNode()
        executor = SingleThreadedExecutor()
        executor.add_node(node)
        executor.create_task(node.autostart)
        executor.spin()
    except (KeyboardInterrupt, ExternalShutdownException):
        pass  # the usual end
    except ParakeetError as error:
        problem = error
    except Exception:
        if rclpy.ok():  # otherwise a transition was interrupted: rclpy cannot publish it any more
            raise
    finally:
        if node is not None:
            node.close()
        rclpy.try_shutdown()
    if problem is not None:
        sys.exit(f"asr_node: {problem}")
    if node is not None and node.loading:
        # Nothing interrupts an engine that is being built, and its thread must not see the interpreter go.
        print("asr_node: ended while the model was being loaded", file=sys.stderr, flush=True)  # noqa: T201
        os._exit(0)


if __name__ == "__main__":
    main()
