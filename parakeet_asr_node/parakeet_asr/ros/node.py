"""The lifecycle node: sound in, transcripts out.

    configure   load the model and warm it up          -> IDLE
    activate    open the source, start the worker      -> LISTENING, SPEECH
    deactivate  close the source, end the utterance    -> IDLE
    cleanup     give the engine's memory back

The source's callbacks only put samples into the worker's bounded queue; the worker's thread recognizes
and publishes. Nothing here is waited for while the node spins.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import rclpy
from parakeet_asr_msgs.msg import State
from rclpy.executors import ExternalShutdownException
from rclpy.lifecycle import LifecycleNode, TransitionCallbackReturn

from parakeet_asr.errors import ParakeetError, WorkerError
from parakeet_asr.loader import Model, load_model
from parakeet_asr.records import EndReason, Event, SpeechActivity
from parakeet_asr.ros.outputs import Outputs
from parakeet_asr.ros.parameter_server import ParameterServer
from parakeet_asr.ros.parameters import Parameter, Values, session_options
from parakeet_asr.ros.source_reports import REPORT_PERIOD_S, SourceReports
from parakeet_asr.ros.sources import make_source
from parakeet_asr.sources.source import AudioSource
from parakeet_asr.worker import Worker

LAST_WORDS_S = 10.0  # how long deactivation waits for what was said before it


@dataclass(frozen=True, slots=True)
class _Listening:
    """What exists between activate and deactivate."""

    source: AudioSource
    worker: Worker
    reports: SourceReports


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
        self._model: Model | None = None
        self._listening: _Listening | None = None
        self._parameter_server = ParameterServer(self, self._in_use)
        self._outputs = Outputs(self)
        self._outputs.state(State.UNKNOWN, "no model is loaded")

    @property
    def model(self) -> Model | None:
        """The model, from configure to cleanup."""
        return self._model

    @property
    def source(self) -> AudioSource | None:
        """Where sound comes from, from activate to deactivate."""
        return None if self._listening is None else self._listening.source

    def autostart(self) -> None:
        """Configure and activate, when the parameter says so."""
        if (
            self.get_parameter("autostart").value
            and self.trigger_configure() == TransitionCallbackReturn.SUCCESS
        ):
            self.trigger_activate()

    # --- transitions, called by the executor ----------------------------------------------------

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
            self._listen(self._parameter_server.values())
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
        self._release()
        self.destroy_node()

    # --- the pieces -----------------------------------------------------------------------------

    def _load(self, values: Values) -> None:
        self._outputs.state(State.LOADING, str(values["model"]))
        self._model = load_model(
            str(values["model"]),
            engine=values["engine"],  # type: ignore[arg-type]  # checked against the choices
            device=values["device"],  # type: ignore[arg-type]
            threads=int(values["threads"]) or None,
        )
        self._model.warm_up()
        self.get_logger().info(f"{self._model.description}, from {self._model.directory}")
        self._outputs.state(State.IDLE)

    def _listen(self, values: Values) -> None:
        if self._model is None:
            raise WorkerError("activate was called before configure")
        session = self._model.session(session_options(values))
        reports = SourceReports(self, self._outputs, session)
        source = make_source(self, values, reports, self._on_file_end)
        publish = partial(self._publish, source, self._model.spec.language)
        worker = Worker(session, publish, self._on_failure, float(values["audio.capacity_s"]))
        self._listening = _Listening(source, worker, reports)
        worker.start()
        self._outputs.state(State.LISTENING)
        source.start(worker)
        self.get_logger().info(f"listening to {source.name}")

    def _stop_listening(self, last_words_s: float) -> None:
        listening, self._listening = self._listening, None
        if listening is None:
            return
        listening.source.stop()
        if last_words_s:
            listening.worker.finish(EndReason.STREAM)
            if not listening.worker.drain(last_words_s):
                self.get_logger().error("what was said last is lost: recognition did not keep up")
        try:
            listening.worker.stop()
        except WorkerError as error:
            self._say(f"{error}")
        listening.reports.close()
        stats = listening.worker.stats()
        self._say(
            f"heard {stats.processed_s:.1f} s of {listening.source.name} in {stats.busy_s:.1f} s; "
            f"dropped {stats.dropped_s:.1f} s, {stats.failures} failures"
        )

    def _say(self, text: str) -> None:
        """Log, unless the process is ending: rosout is gone by then."""
        if self.context.ok():
            self.get_logger().info(text)

    def _release(self) -> None:
        self._stop_listening(last_words_s=0.0)
        if self._model is not None:
            self._model.close()
            self._model = None
        if self.context.ok():
            self._outputs.state(State.UNKNOWN, "no model is loaded")

    def _refuse(self, transition: str, error: ParakeetError) -> TransitionCallbackReturn:
        self.get_logger().error(f"cannot {transition}: {error}")
        if transition == "configure":
            self._release()
        else:
            self._stop_listening(last_words_s=0.0)
        self._outputs.state(State.ERROR, str(error))
        return TransitionCallbackReturn.FAILURE

    def _in_use(self, parameter: Parameter) -> str:
        if parameter.taken_by == "configure" and self._model is not None:
            return "in use by the loaded model; deactivate and clean up first"
        if parameter.taken_by == "activate" and self._listening is not None:
            return "in use while listening; deactivate first"
        return ""

    # --- called on the threads of the worker and of the source ---------------------------------

    def _publish(self, source: AudioSource, language: str, event: Event, latency_s: float) -> None:
        if not self.context.ok():
            return
        if isinstance(event, SpeechActivity):
            self._outputs.activity(event)
            self._outputs.state(State.SPEECH if event.active else State.LISTENING)
        else:
            self._outputs.transcript(
                event, frame_id=source.frame_id, source=source.name, language=language, latency_s=latency_s
            )

    def _on_failure(self, error: Exception) -> None:
        if self.context.ok():
            self.get_logger().error(f"an utterance is lost: {error!r}", throttle_duration_sec=REPORT_PERIOD_S)
            self._outputs.state(State.ERROR, str(error))

    def _on_file_end(self, error: Exception | None) -> None:
        if not self.context.ok():
            return
        if error is None:
            self.get_logger().info("the file is over")
        else:
            self.get_logger().error(f"the file ended early: {error}")
            self._outputs.state(State.ERROR, str(error))


def main(args: Sequence[str] | None = None) -> None:
    """Run the node until it is interrupted; 1 when it could not start."""
    rclpy.init(args=args)
    node: AsrNode | None = None
    problem: ParakeetError | None = None
    try:
        node = AsrNode()
        node.autostart()
        rclpy.spin(node)
    except (KeyboardInterrupt, ExternalShutdownException):
        pass  # the usual end
    except ParakeetError as error:
        problem = error
    except Exception:
        if rclpy.ok():  # otherwise a transition was interrupted: rclpy cannot publish it any more
            raise
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second one must not cut the end short
        if node is not None:
            node.close()
        rclpy.try_shutdown()
    if problem is not None:
        sys.exit(f"asr_node: {problem}")


if __name__ == "__main__":
    main()
