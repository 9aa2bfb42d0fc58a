"""What hears: a loaded model and its worker from configure to cleanup, a source while it listens."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace
from typing import Any

from rclpy.lifecycle import LifecycleNode

from parakeet_asr.core.session_contract import Session
from parakeet_asr.loader import Model
from parakeet_asr.records import EndReason, SpeechActivity
from parakeet_asr.ros.announcer import Announcer, OnEvent
from parakeet_asr.ros.duplex.duplex import Duplex
from parakeet_asr.ros.duplex.settings import duplex_options, duplex_sources
from parakeet_asr.ros.hearing import Hearing, Switches
from parakeet_asr.ros.intake import Intake
from parakeet_asr.ros.listening_options import ListeningOptions
from parakeet_asr.ros.live_speech import LiveSpeech
from parakeet_asr.ros.outputs import Outputs
from parakeet_asr.ros.parameters import Values, session_options
from parakeet_asr.ros.source_reports import SourceReports
from parakeet_asr.ros.sources import make_source
from parakeet_asr.ros.waiting import in_thread, resolved
from parakeet_asr.worker import Worker, WorkerStats


class Listener:
    """Owns the worker's thread.

    Its methods are for the executor's thread, and none of them waits for the model, but :meth:`close` that
    did not come after :meth:`hear_out`.
    """

    def __init__(
        self, node: LifecycleNode, outputs: Outputs, model: Model, switches: Switches, on_event: OnEvent
    ) -> None:
        """Start the worker; :meth:`open` listens."""
        self._node = node
        self._outputs = outputs
        self.model = model
        self.switches = switches
        self.hearing: Hearing | None = None
        self._heard_out: Future[bool] | None = None
        self.load_s = 0.0  # that loading the model took
        self._announcer = Announcer(
            node, outputs, switches, model.spec.language, lambda: self.hearing, on_event
        )
        self.latencies = self._announcer.latencies
        self._worker = Worker(None, self._announcer.publish, self._announcer.failed)
        self._worker.start()
        self.options = ListeningOptions(self._worker, model.recognizer, self._session)

    # --- lifecycle --------------------------------------------------------------------------------

    def open(self, values: Values) -> None:
        """Listen, unless that is switched off.

        Raises:
            AudioError: the source cannot be opened.
            ConfigurationError: two parameters exclude each other, or hri_msgs is missing.
        """
        self._heard_out = None
        options = session_options(values)
        session = self.model.duplex_session(options, duplex_options(values))
        self.options.begin(options)
        reports = SourceReports(self._node, self._outputs, session)
        source = make_source(self._node, values, reports, self._announcer.file_ended)
        intake = Intake(self._worker, self._now_ns, self._end_and_forget_time)
        voice_id = str(values["live_speech.voice_id"])
        live_speech = LiveSpeech(self._node, voice_id) if voice_id else None
        duplex = Duplex(self._node, duplex_sources(values), session, self._worker.in_turn)
        self.hearing = Hearing(values, session, source, intake, reports, duplex, live_speech)
        self._worker.attach(session, float(values["audio.capacity_s"]))
        self._outputs.muted, self._outputs.gated = self.switches.muted, False
        if self.switches.muted:
            intake.set_muted(True)
        if self.switches.enabled:
            self._start_source()
        else:
            self._announcer.switched_off()

    def hear_out(self, timeout_s: float) -> Future[bool]:
        """Take no more sound; done when what was said until now is published (True), or took too long."""
        if self.hearing is None:
            return resolved(True)
        self.hearing.source.stop()
        self._worker.finish(EndReason.STREAM)
        self._heard_out = in_thread(lambda: self._worker.drain(timeout_s), "hear_out")
        return self._heard_out

    def close(self, last_words_s: float) -> bool:
        """Listen no more; False when what was said last is lost.

        Args:
            last_words_s: how long to wait until what was said is recognized and published; 0: forget it.
                After :meth:`hear_out` there is nothing to wait for.
        """
        hearing = self.hearing
        if hearing is None:
            return True
        heard = (self._heard_out or self.hear_out(last_words_s)).result() if last_words_s else True
        hearing.source.stop()
        hearing.duplex.close()
        self._worker.reset()
        self.hearing = None
        self._announcer.speaking = False
        hearing.reports.close()
        if hearing.live_speech is not None:
            hearing.live_speech.close()
        return heard

    def stop(self) -> None:
        """End the worker's thread, for good.

        Raises:
            WorkerError: it does not end.
        """
        self.close(last_words_s=0.0)
        self._worker.stop()

    def stats(self) -> WorkerStats:
        """What became of the sound since :meth:`open`."""
        return self._worker.stats()

    # --- switches ---------------------------------------------------------------------------------

    def set_enabled(self, enabled: bool) -> None:
        """Open the source, or let go of it and end the open utterance.

        Raises:
            AudioError: the source cannot be opened.
        """
        if enabled == self.switches.enabled:
            return
        self.switches.enabled = enabled
        hearing = self.hearing
        if hearing is None:
            return
        if not enabled:
            hearing.source.stop()
            self._end_and_forget_time()
            self._worker.in_turn(self._announcer.switched_off)
            return
        source = make_source(self._node, hearing.values, hearing.reports, self._announcer.file_ended)
        self.hearing = replace(hearing, source=source)
        self._start_source()

    def set_muted(self, muted: bool) -> None:
        """Drop what is captured from now on, or hear it again."""
        if muted == self.switches.muted:
            return
        self.switches.muted = muted
        if self.hearing is not None:
            self.hearing.intake.set_muted(muted)
            self._announcer.muted(muted)

    def set_duplex_options(self, values: Values) -> None:
        """Deal with the robot's own voice in another way from now on.

        Raises:
            ConfigurationError: mode ``full`` where its canceller is not installed.
        """
        options = duplex_options(values)
        if options.mode == "full":
            self.model.require_echo_canceller()
        if self.hearing is not None:
            self.hearing.duplex.set_options(options)

    def finalize(self) -> None:
        """End the open utterance now."""
        self._worker.finish(EndReason.FINALIZED)

    def reset(self) -> None:
        """Forget the open utterance and what waits."""
        self._worker.reset()
        self._worker.in_turn(self._end_of_speech)

    def run_task(self, task: Callable[[Model, Callable[[], None]], Any]) -> Future[Any]:
        """Do something that needs the model for longer, when no sound waits.

        Args:
            task: gets the model, and what it has to call often so that sound goes first.
        """
        return self._worker.in_pauses(lambda: task(self.model, self._worker.breathe))

    # --- inside -----------------------------------------------------------------------------------

    def _session(self) -> Session | None:
        return None if self.hearing is None else self.hearing.session

    def _start_source(self) -> None:
        hearing = self.hearing
        if hearing is None:
            return
        hearing.source.start(hearing.intake)
        self._node.get_logger().info(f"listening to {hearing.source.name}")

        def show() -> None:
            if self.hearing is hearing:
                self._announcer.listening()

        # On the worker's thread, like the SPEECH of a source that had something to say at once.
        self._worker.in_turn(show)

    def _now_ns(self) -> int:
        return int(self._node.get_clock().now().nanoseconds)

    def _end_and_forget_time(self) -> None:
        """End the utterance; what comes later is not late, it is another stretch of time."""
        hearing = self.hearing
        self._worker.finish(EndReason.FINALIZED)
        if hearing is not None:
            self._worker.in_turn(hearing.session.reset)
            self._worker.in_turn(lambda: self._announcer.gated(False))

    def _end_of_speech(self) -> None:
        self._announcer.gated(False)  # a session that was reset closes it again, if it must
        if self._announcer.speaking:
            self._announcer.publish(SpeechActivity(False, self._now_ns()), 0.0)
