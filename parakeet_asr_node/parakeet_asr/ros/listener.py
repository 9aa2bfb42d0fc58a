"""What hears: a loaded model and its worker from configure to cleanup, a source while it listens."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from typing import Any

from parakeet_asr_msgs import msg
from parakeet_asr_msgs.msg import State
from rclpy.lifecycle import LifecycleNode

from parakeet_asr.core.phrases import DEFAULT_SCORE, SkippedPhrase
from parakeet_asr.core.session import SessionOptions, SpeechSession
from parakeet_asr.errors import WorkerError
from parakeet_asr.loader import Model
from parakeet_asr.records import EndReason, Event, SpeechActivity
from parakeet_asr.ros.health import Latencies
from parakeet_asr.ros.intake import Intake
from parakeet_asr.ros.outputs import Outputs
from parakeet_asr.ros.parameters import Values, session_options
from parakeet_asr.ros.source_reports import REPORT_PERIOD_S, SourceReports
from parakeet_asr.ros.sources import make_source
from parakeet_asr.sources.source import AudioSource
from parakeet_asr.worker import Worker, WorkerStats

OnEvent = Callable[["bool | msg.Transcript"], None]
"""Is told, on the worker's thread, that speech began (True) or ended (False), and every transcript."""


@dataclass(slots=True)
class Switches:
    """What people have switched; remembered over lifecycle transitions, for who mutes means it."""

    enabled: bool = True
    muted: bool = False


@dataclass(frozen=True, slots=True)
class Phrases:
    """Names and commands to listen for."""

    texts: tuple[str, ...] = ()
    score: float = DEFAULT_SCORE


@dataclass(frozen=True, slots=True)
class Hearing:
    """What exists between activate and deactivate."""

    values: Values
    options: SessionOptions
    session: SpeechSession
    source: AudioSource
    intake: Intake
    reports: SourceReports


class Listener:
    """Owns the worker's thread.

    Its methods are for the executor's thread, and none of them waits for the model but :meth:`close`.
    """

    def __init__(
        self, node: LifecycleNode, outputs: Outputs, model: Model, switches: Switches, on_event: OnEvent
    ) -> None:
        """Start the worker; :meth:`open` listens."""
        self._node = node
        self._outputs = outputs
        self.model = model
        self.switches = switches
        self._on_event = on_event
        self._phrases = Phrases()
        self._phrases_lent = False  # a goal has its own
        self._speaking = False
        self.hearing: Hearing | None = None
        self.latencies = Latencies()
        self.load_s = 0.0  # that loading the model took
        self._worker = Worker(None, self._publish, self._on_failure)
        self._worker.start()

    # --- lifecycle --------------------------------------------------------------------------------

    def open(self, values: Values) -> None:
        """Listen, unless that is switched off.

        Raises:
            AudioError: the source cannot be opened.
            ConfigurationError: two parameters exclude each other.
        """
        options = session_options(values)
        session = self.model.session(options)
        reports = SourceReports(self._node, self._outputs, session)
        source = make_source(self._node, values, reports, self._on_file_end)
        intake = Intake(self._worker, self._now_ns, self._end_for_mute)
        self.hearing = Hearing(values, options, session, source, intake, reports)
        self._worker.attach(session, float(values["audio.capacity_s"]))
        self._outputs.muted = self.switches.muted
        if self.switches.muted:
            intake.set_muted(True)
        if self.switches.enabled:
            self._start_source()
        else:
            self._show_idle()

    def close(self, last_words_s: float) -> bool:
        """Listen no more; False when what was said last is lost.

        Args:
            last_words_s: how long to wait until what was said is recognized and published; 0: forget it.
        """
        hearing = self.hearing
        if hearing is None:
            return True
        heard = True
        hearing.source.stop()
        if last_words_s:
            self._worker.finish(EndReason.STREAM)
            heard = self._worker.drain(last_words_s)
        self._worker.reset()
        self.hearing = None
        self._speaking = False
        hearing.reports.close()
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
            self._worker.in_turn(self._show_idle)
            return
        source = make_source(self._node, hearing.values, hearing.reports, self._on_file_end)
        self.hearing = replace(hearing, source=source)
        self._start_source()

    def set_muted(self, muted: bool) -> None:
        """Drop what is captured from now on, or hear it again."""
        if muted == self.switches.muted:
            return
        self.switches.muted = muted
        if self.hearing is not None:
            self.hearing.intake.set_muted(muted)
            self._outputs.muted = muted
            if self.switches.enabled:
                self._outputs.state(State.SPEECH if self._speaking else State.LISTENING)

    def finalize(self) -> None:
        """End the open utterance now."""
        self._worker.finish(EndReason.FINALIZED)

    def reset(self) -> None:
        """Forget the open utterance and what waits."""
        self._worker.reset()
        self._worker.in_turn(self._end_of_speech)

    # --- the model --------------------------------------------------------------------------------

    def set_phrases(self, phrases: Phrases) -> tuple[SkippedPhrase, ...]:
        """Listen for these from now on, or from the end of the goal that has its own.

        Raises:
            ConfigurationError: the score cannot be used; the phrases before stay.
        """
        if self._phrases_lent:
            self._phrases = phrases
            return ()
        skipped = self._use_phrases(phrases)
        self._phrases = phrases
        return skipped

    def begin_goal(self, end_silence_s: float, phrases: Sequence[str]) -> Future[bool]:
        """Use other options for a while, from all sound on that has come until now.

        Args:
            end_silence_s: silence that ends the utterance; 0: as always.
            phrases: to listen for; none: as always.

        Returns:
            Whether an utterance is open, when the worker has come to it; fails with ConfigurationError.
        """

        def begin() -> bool:
            hearing = self.hearing
            if hearing is None:
                raise WorkerError("listening ended")
            if end_silence_s:
                hearing.session.set_options(replace(hearing.options, silence_s=end_silence_s))
            if phrases:
                self._use_phrases(Phrases(tuple(phrases)))
            return hearing.session.utterance_open

        self._phrases_lent = bool(phrases)
        return self._worker.in_turn(begin)

    def end_goal(self) -> None:
        """Go back to the options and phrases from before the goal."""

        def end() -> None:
            if self.hearing is not None:
                self.hearing.session.set_options(self.hearing.options)
            self._use_phrases(self._phrases)

        self._phrases_lent = False
        self._worker.in_turn(end)

    def run_task(self, task: Callable[[Model, Callable[[], None]], Any]) -> Future[Any]:
        """Do something that needs the model for longer, when no sound waits.

        Args:
            task: gets the model, and what it has to call often so that sound goes first.
        """
        return self._worker.in_pauses(lambda: task(self.model, self._worker.breathe))

    # --- inside -----------------------------------------------------------------------------------

    def _use_phrases(self, phrases: Phrases) -> tuple[SkippedPhrase, ...]:
        return self.model.recognizer.set_phrases(phrases.texts, phrases.score)

    def _start_source(self) -> None:
        hearing = self.hearing
        if hearing is None:
            return
        hearing.source.start(hearing.intake)
        self._node.get_logger().info(f"listening to {hearing.source.name}")
        self._worker.in_turn(lambda: self._show_listening(hearing))

    def _show_listening(self, hearing: Hearing) -> None:
        """On the worker's thread, like the SPEECH of a source that had something to say at once."""
        if self.hearing is hearing and not self._speaking and not hearing.reports.troubled:
            self._outputs.state(State.LISTENING)

    def _show_idle(self) -> None:
        if not self.switches.enabled:
            self._outputs.state(State.IDLE, "switched off by set_enabled")

    def _now_ns(self) -> int:
        return int(self._node.get_clock().now().nanoseconds)

    def _end_for_mute(self) -> None:
        self._end_and_forget_time()

    def _end_and_forget_time(self) -> None:
        """End the utterance; what comes later is not late, it is another stretch of time."""
        hearing = self.hearing
        self._worker.finish(EndReason.FINALIZED)
        if hearing is not None:
            self._worker.in_turn(hearing.session.reset)

    def _end_of_speech(self) -> None:
        if self._speaking:
            self._publish(SpeechActivity(False, self._now_ns()), 0.0)

    # --- called on the threads of the worker and of the source -----------------------------------

    def _publish(self, event: Event, latency_s: float) -> None:
        hearing = self.hearing
        if hearing is None or not self._node.context.ok():
            return
        if isinstance(event, SpeechActivity):
            self._speaking = event.active
            self._outputs.activity(event)
            if self.switches.enabled:
                self._outputs.state(State.SPEECH if event.active else State.LISTENING)
            self._on_event(event.active)
            return
        self.latencies.add(latency_s)
        message = self._outputs.transcript(
            event,
            frame_id=hearing.source.frame_id,
            source=hearing.source.name,
            language=self.model.spec.language,
            latency_s=latency_s,
        )
        self._on_event(message)

    def _on_failure(self, error: Exception) -> None:
        if self._node.context.ok():
            self._node.get_logger().error(
                f"an utterance is lost: {error!r}", throttle_duration_sec=REPORT_PERIOD_S
            )
            self._outputs.state(State.ERROR, str(error))

    def _on_file_end(self, error: Exception | None) -> None:
        if not self._node.context.ok():
            return
        if error is None:
            self._node.get_logger().info("the file is over")
        else:
            self._node.get_logger().error(f"the file ended early: {error}")
            self._outputs.state(State.ERROR, str(error))
