"""A speech session that knows when the robot speaks, and what to make of its voice."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from parakeet_asr.core.duplex.barge_in import AcousticBargeIn, interrupting_word
from parakeet_asr.core.duplex.canceller import EchoCanceller
from parakeet_asr.core.duplex.echo_filter import EchoFilter
from parakeet_asr.core.duplex.front import EchoFront
from parakeet_asr.core.duplex.gate import SpeechGate
from parakeet_asr.core.duplex.options import DuplexOptions, Mode
from parakeet_asr.core.duplex.playback import Playback
from parakeet_asr.core.duplex.speaking import SpeakingTimeline
from parakeet_asr.core.endpoint import VoiceDetector
from parakeet_asr.core.session import SessionOptions, SpeechSession
from parakeet_asr.core.timeline import SAMPLE_NS, Jump
from parakeet_asr.errors import ConfigurationError
from parakeet_asr.records import SAMPLE_RATE_HZ, AudioChunk, BargeIn, EndReason, Event, Transcript

PLAYBACK = "playback"
"""The name of what is played among the witnesses."""

_MEMORY_S = 60.0  # what is known of the robot's speech is kept for so long


@dataclass(frozen=True, slots=True)
class DuplexStats:
    """What became of the robot's voice so far."""

    gate_open: bool  # False: nothing is heard, the robot speaks
    gated_s: float  # sound that was not heard for that reason
    watchdog_releases: int  # speech whose witness died
    dropped_echoes: int  # utterances that were echo, dropped
    marked_echoes: int  # and marked
    barge_ins: int
    echo_level_dbfs: float | None  # of the robot's voice in the microphone; None: not measured
    erle_db: float | None  # echo return loss enhancement of the canceller; None: not measured
    delay_s: float | None  # from the stamp of what is played to its echo; None: not known


class DuplexSession:
    """Has the surface of :class:`SpeechSession`, so that who feeds it need not care. Not thread safe."""

    def __init__(
        self,
        session: SpeechSession,
        options: DuplexOptions | None = None,
        *,
        canceller: Callable[[], EchoCanceller] | None = None,
        detector: VoiceDetector | None = None,
    ) -> None:
        """Listen with ``session``.

        Args:
            session: hears what is left.
            options: how the robot's voice is dealt with.
            canceller: makes one, for mode ``full``; may raise ConfigurationError.
            detector: finds people who interrupt; one of its own. None: only words do.

        Raises:
            ConfigurationError: mode ``full`` without a canceller.
        """
        self.duplex_options = options or DuplexOptions()
        self._make_canceller = canceller
        self.timeline = SpeakingTimeline(*_times(self.duplex_options))
        self._session = session
        self._gate = SpeechGate(session, self.timeline)
        self._playback = Playback()
        barge_in = AcousticBargeIn(detector) if detector is not None else None
        self._front = EchoFront(self._playback, barge_in)
        self._filter = EchoFilter(self.timeline, self._front.evidence)
        self._interrupted = ""  # the utterance whose words have interrupted
        self._barge_ins = 0
        self._waiting: list[Event] = []  # what happened between two chunks
        self._heard_ns = 0  # capture time behind the last sample of the microphone
        self._apply(self.duplex_options)

    # --- the surface of SpeechSession -------------------------------------------------------------

    @property
    def options(self) -> SessionOptions:
        """Those of the session that listens."""
        return self._session.options

    @property
    def utterance_open(self) -> bool:
        """Whether somebody is speaking."""
        return self._session.utterance_open

    @property
    def jumps(self) -> int:
        """Gaps and overlaps so far."""
        return self._session.jumps

    @property
    def last_jump(self) -> Jump | None:
        """The last one."""
        return self._session.last_jump

    def push(self, chunk: AudioChunk, *, partials: bool = True) -> list[Event]:
        """Take the next chunk of the microphone; see :meth:`SpeechSession.push`."""
        events, self._waiting = self._waiting, []
        end_ns = self._heard_ns = chunk.stamp_ns + len(chunk.samples) * SAMPLE_NS
        self.timeline.release_dead(end_ns)
        if self.duplex_options.mode == "gate":
            events += self._gate.push(chunk, partials)
        elif self.duplex_options.mode == "off":
            events += self._session.push(chunk, partials=partials)
        else:
            events += self._hear_on(chunk, partials)
        oldest_ns = end_ns - round(_MEMORY_S * 1e9)
        self.timeline.forget_before(oldest_ns)
        self._playback.forget_before(oldest_ns // SAMPLE_NS)
        self._front.evidence.forget_before(oldest_ns)
        self._filter.forget_before(oldest_ns)
        return events

    def finish(self, reason: EndReason) -> list[Event]:
        """End the open utterance now; see :meth:`SpeechSession.finish`."""
        events, self._waiting = self._waiting, []
        if self.duplex_options.mode == "gate":
            events += self._gate.look_back()
        for piece in self._front.flush():
            events += self._judged(self._session.push(piece))
        return events + self._judged(self._session.finish(reason))

    def set_options(self, options: SessionOptions) -> None:
        """Go on with other options of the session."""
        self._session.set_options(options)
        self._filter.pre_roll_s = options.pre_roll_s

    def reset(self) -> None:
        """Forget all sound; what is known of the robot's speech stays."""
        self._session.reset()
        self._gate.reset()
        self._front.reset()

    # --- duplex -----------------------------------------------------------------------------------

    def set_mode(self, mode: Mode) -> None:
        """Treat the robot's voice in another way from the next chunk on."""
        self.set_duplex_options(replace(self.duplex_options, mode=mode))

    def set_duplex_options(self, options: DuplexOptions) -> None:
        """Go on with other options, without losing sound.

        Raises:
            ConfigurationError: mode ``full`` without a canceller; the options before stay.
        """
        changed = options.mode != self.duplex_options.mode
        self._apply(options)
        if not changed:
            return
        if self._gate.closed:
            self._waiting += self._gate.open(self._heard_ns)
        for piece in self._front.flush():
            self._waiting += self._judged(self._session.push(piece))
        self._gate.reset()

    def push_playback(self, chunk: AudioChunk) -> None:
        """What the loudspeaker gets: 16 kHz mono, stamped with when it is handed over.

        It must come before the sound of the microphone that holds its echo.
        """
        for start_ns, stop_ns in self._playback.push(chunk):
            self.timeline.span(PLAYBACK, start_ns, stop_ns)

    def stop_playback(self, stamp_ns: int) -> None:
        """What was handed over is not played beyond ``stamp_ns``: somebody interrupted the robot."""
        self._playback.cut(stamp_ns // SAMPLE_NS)
        self.timeline.cut(PLAYBACK, stamp_ns)

    def said(self, text: str, stamp_ns: int) -> None:
        """The robot was asked to say ``text``."""
        self.timeline.text(text, stamp_ns)
        self._filter.said(text, stamp_ns)

    def stats(self) -> DuplexStats:
        """What became of the robot's voice so far."""
        power = self._front.echo_power
        return DuplexStats(
            gate_open=not self._gate.closed,
            gated_s=self._gate.gated_samples / SAMPLE_RATE_HZ,
            watchdog_releases=self.timeline.releases,
            dropped_echoes=self._filter.dropped,
            marked_echoes=self._filter.marked,
            barge_ins=self._barge_ins,
            echo_level_dbfs=float(10 * np.log10(power + 1e-12)) if power is not None else None,
            erle_db=self._front.erle_db,
            delay_s=self._front.delay_s,
        )

    # --- inside -----------------------------------------------------------------------------------

    def _apply(self, options: DuplexOptions) -> None:
        if options.mode == "full" and self._front.canceller is None:
            if self._make_canceller is None:
                raise ConfigurationError("mode: full needs an echo canceller, and there is none; use filter")
            self._front.canceller = self._make_canceller()
        self._front.removes = options.mode == "full"
        self._front.min_speech_s = options.min_speech_s
        self._filter.action, self._filter.window_s = options.echo_action, options.echo_window_s
        self._filter.pre_roll_s = self._session.options.pre_roll_s
        self.timeline.set_times(*_times(options))
        self.duplex_options = options

    def _hear_on(self, chunk: AudioChunk, partials: bool) -> list[Event]:
        """Modes filter and full."""
        pieces, found = self._front.push(chunk)
        events: list[Event] = []
        if self.duplex_options.barge_in and not self.duplex_options.words:
            for one in found:
                if not self._robot_sounds(one.stamp_ns):
                    continue
                self._barge_ins += 1
                events.append(replace(one, utterance_id=self._session.utterance_id))
        for piece in pieces:
            events += self._judged(self._session.push(piece, partials=partials))
        return events

    def _robot_sounds(self, stamp_ns: int) -> bool:
        """Whether there is anything to interrupt at a capture time."""
        delay_s, tail_s = self._front.delay_s or 0.0, self.duplex_options.tail_s
        position = (stamp_ns - round(delay_s * 1e9)) // SAMPLE_NS
        playing = self._playback.audible(position - round(tail_s * SAMPLE_RATE_HZ), position + 1)
        return playing or self.timeline.speaking(stamp_ns)

    def _judged(self, events: list[Event]) -> list[Event]:
        """Without echo, and with the barge-ins that words make."""
        if self.duplex_options.mode not in ("filter", "full"):
            return events
        out: list[Event] = []
        for event in events:
            if not isinstance(event, Transcript):
                out.append(event)
            elif (kept := self._filter.judge(event)) is not None:
                if (barge_in := self._by_words(kept)) is not None:
                    out.append(barge_in)
                out.append(kept)
        return out

    def _by_words(self, transcript: Transcript) -> BargeIn | None:
        """With a list of words one of them interrupts; else any, where only the text tells who speaks."""
        options = self.duplex_options
        wanted = bool(options.words) or (self._playback.end is None and self._filter.knows_text)
        if not options.barge_in or not wanted or transcript.echo:
            return None
        if self._interrupted == transcript.utterance_id:
            return None
        found = interrupting_word(
            transcript.words, transcript.start_ns, options.words, self.timeline.speaking
        )
        if found is None:
            return None
        word, matched = found
        self._interrupted = transcript.utterance_id
        self._barge_ins += 1
        onset_ns = transcript.start_ns + round(word.start_s * 1e9)
        return BargeIn(onset_ns, transcript.utterance_id, word.confidence, matched)


def _times(options: DuplexOptions) -> tuple[float, float, float]:
    return options.tail_s, options.watchdog_s, options.seconds_per_character
