"""A speech session that knows when the robot speaks, and what to make of its voice."""

from __future__ import annotations

from dataclasses import dataclass, replace

from parakeet_asr.core.duplex.gate import SpeechGate
from parakeet_asr.core.duplex.options import DuplexOptions, Mode
from parakeet_asr.core.duplex.playback import Playback
from parakeet_asr.core.duplex.speaking import SpeakingTimeline
from parakeet_asr.core.session import SessionOptions, SpeechSession
from parakeet_asr.core.timeline import SAMPLE_NS, Jump
from parakeet_asr.records import SAMPLE_RATE_HZ, AudioChunk, EndReason, Event

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

    def __init__(self, session: SpeechSession, options: DuplexOptions | None = None) -> None:
        """Listen with ``session``."""
        self.duplex_options = options or DuplexOptions()
        self.timeline = SpeakingTimeline(*_times(self.duplex_options))
        self._session = session
        self._gate = SpeechGate(session, self.timeline)
        self._playback = Playback()
        self._waiting: list[Event] = []  # what happened between two chunks
        self._heard_ns = 0  # capture time behind the last sample of the microphone

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
        else:
            events += self._session.push(chunk, partials=partials)
        oldest_ns = end_ns - round(_MEMORY_S * 1e9)
        self.timeline.forget_before(oldest_ns)
        self._playback.forget_before(oldest_ns // SAMPLE_NS)
        return events

    def finish(self, reason: EndReason) -> list[Event]:
        """End the open utterance now; see :meth:`SpeechSession.finish`."""
        events, self._waiting = self._waiting, []
        if self.duplex_options.mode == "gate":
            events += self._gate.look_back()
        return events + self._session.finish(reason)

    def set_options(self, options: SessionOptions) -> None:
        """Go on with other options of the session."""
        self._session.set_options(options)

    def reset(self) -> None:
        """Forget all sound; what is known of the robot's speech stays."""
        self._session.reset()
        self._gate.reset()

    # --- duplex -----------------------------------------------------------------------------------

    def set_mode(self, mode: Mode) -> None:
        """Treat the robot's voice in another way from the next chunk on."""
        self.set_duplex_options(replace(self.duplex_options, mode=mode))

    def set_duplex_options(self, options: DuplexOptions) -> None:
        """Go on with other options, without losing sound."""
        if options.mode != self.duplex_options.mode:
            if self._gate.closed:
                self._waiting += self._gate.open(self._heard_ns)
            self._gate.reset()
        self.duplex_options = options
        self.timeline.set_times(*_times(options))

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

    def stats(self) -> DuplexStats:
        """What became of the robot's voice so far."""
        return DuplexStats(
            gate_open=not self._gate.closed,
            gated_s=self._gate.gated_samples / SAMPLE_RATE_HZ,
            watchdog_releases=self.timeline.releases,
            dropped_echoes=0,
            marked_echoes=0,
            barge_ins=0,
            echo_level_dbfs=None,
            erle_db=None,
            delay_s=None,
        )


def _times(options: DuplexOptions) -> tuple[float, float, float]:
    return options.tail_s, options.watchdog_s, options.seconds_per_character
