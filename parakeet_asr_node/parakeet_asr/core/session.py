"""A stream of audio chunks in, speech activity and transcripts out.

The session holds all state of one stream: samples, timeline, endpointer, the open utterance. It decides
by sample counts only, so that the same samples give the same events however they are cut into chunks.
An utterance is one stretch of speech between silences; how it is recognized is :class:`Utterance`'s
business.
"""

from __future__ import annotations

from dataclasses import dataclass

from parakeet_asr.core.agreement import LocalAgreement
from parakeet_asr.core.buffered import WindowOptions
from parakeet_asr.core.endpoint import Change, Endpointer, EndpointOptions, VoiceDetector
from parakeet_asr.core.energy_gate import EnergyGate
from parakeet_asr.core.recognizer import Recognizer
from parakeet_asr.core.sample_buffer import SampleBuffer
from parakeet_asr.core.sound import silence_nonsense
from parakeet_asr.core.timeline import Jump, Timeline
from parakeet_asr.core.utterance import Utterance
from parakeet_asr.core.voice_watch import VoiceWatch
from parakeet_asr.errors import ConfigurationError
from parakeet_asr.records import SAMPLE_RATE_HZ, AudioChunk, EndReason, Event, SpeechActivity


@dataclass(frozen=True, slots=True)
class SessionOptions(EndpointOptions):
    """How a stream is cut into utterances and how often it speaks of an open one."""

    left_s: float = 10.0  # context before what is decoded
    chunk_s: float = 0.64  # committed at a time
    right_s: float = 1.36  # context behind; what is said is committed after chunk_s + right_s
    partial_interval_s: float = 0.32  # audio between partials; 0: finals only
    agreeing_looks: int = 2  # so many in a row must have a word alike before it counts as agreed; 0: never
    final_window_s: float = 60.0  # utterances up to this are decoded again as a whole for the final
    gap_tolerance_s: float = 0.1  # stamps may jitter by this much before samples count as missing
    energy_gate: bool = True  # the voice detector rests while nothing is louder than the room

    def __post_init__(self) -> None:
        """Refuse what cannot work.

        Raises:
            ConfigurationError: a value is out of range, or two exclude each other.
        """
        for name in ("min_speech_s", "silence_s", "blank_s", "max_utterance_s", "gap_tolerance_s", "chunk_s"):
            if not getattr(self, name) > 0:
                raise ConfigurationError(f"{name}: expected more than 0, got {getattr(self, name)}")
        for name in (
            "pre_roll_s",
            "post_roll_s",
            "partial_interval_s",
            "final_window_s",
            "left_s",
            "right_s",
            "agreeing_looks",
        ):
            if not getattr(self, name) >= 0:
                raise ConfigurationError(f"{name}: expected 0 or more, got {getattr(self, name)}")
        if not 0 < self.release < self.speech_threshold < 1:
            raise ConfigurationError(
                "expected 0 < release < speech_threshold < 1, got release "
                f"{self.release} and speech_threshold {self.speech_threshold}"
            )
        if self.max_utterance_s <= 2 * self.silence_s:
            raise ConfigurationError(
                f"max_utterance_s: expected more than twice silence_s ({self.silence_s}), "
                f"got {self.max_utterance_s}"
            )


class SpeechSession:
    """Listens to one stream. Not thread safe: one owner at a time."""

    def __init__(
        self, recognizer: Recognizer, detector: VoiceDetector, options: SessionOptions | None = None
    ) -> None:
        """Recognize with ``recognizer`` what ``detector`` calls speech."""
        self.options = options or SessionOptions()
        self._recognizer = recognizer
        self._frame_samples = detector.frame_samples
        self.watch = VoiceWatch(detector, self._gate(self.options))
        self._endpointer = Endpointer(self.options, detector.frame_samples)
        self._timeline = Timeline(self.options.gap_tolerance_s)
        self._buffer = SampleBuffer(round(2 * self.options.max_utterance_s * SAMPLE_RATE_HZ))
        self._utterance: Utterance | None = None
        self._next_look = 0
        self._jump_sample = 0  # before which the last gap or overlap was
        self.jumps = 0  # gaps and overlaps so far
        self.last_jump: Jump | None = None

    @property
    def utterance_open(self) -> bool:
        """Whether somebody is speaking."""
        return self._utterance is not None

    @property
    def utterance_id(self) -> str:
        """Of the open utterance; empty when there is none."""
        return "" if self._utterance is None else self._utterance.id

    def push(self, chunk: AudioChunk, *, partials: bool = True) -> list[Event]:
        """Take the next chunk.

        Args:
            chunk: any number of samples; the stamp is that of the first one.
            partials: False under load: nobody needs a draft that comes late.

        Returns:
            What happened, in order.

        Raises:
            EngineError: recognition failed; the utterance is lost, the session goes on.
        """
        events: list[Event] = []
        jump = self._timeline.push(chunk, follow=not self._endpointer.pending)
        if jump is not None:
            self._on_jump(jump, events)
        # A NaN would stay in the detector's state for ever.
        self._buffer.append(silence_nonsense(chunk.samples)[0])
        for probability in self.watch.probabilities(self._buffer, lambda: self._endpointer.pending):
            self._on_change(self._endpointer.push(probability), partials, events)
        earliest = self._endpointer.earliest_sample
        self._buffer.forget_before(min(earliest, self.watch.position))
        self._timeline.forget_before(earliest)
        return events

    def finish(self, reason: EndReason) -> list[Event]:
        """End the open utterance now, with every sample that came; also one that was not confirmed yet."""
        events: list[Event] = []
        if self._utterance is None and self._endpointer.confirm():
            self._begin(events)
        if self._utterance is not None:
            self._end(self._buffer.end, reason, events)
        self._restart()
        return events

    def end_at(self, stamp_ns: int, reason: EndReason) -> list[Event]:
        """End the open utterance at a capture time that may have passed; what came behind is forgotten."""
        events: list[Event] = []
        sample = min(self._timeline.sample_at(stamp_ns), self._buffer.end)
        if self._endpointer.pending_since(sample) and self._endpointer.confirm():
            self._begin(events)
        if self._utterance is not None:
            self._end(max(sample, self._utterance.start_sample), reason, events)
        self._restart()
        return events

    def set_options(self, options: SessionOptions) -> None:
        """Go on with other options, without losing sound; an open utterance keeps its windows."""
        self.options = options
        if options.energy_gate is not self.watch.gated:
            self.watch.use_gate(self._gate(options))
        self._endpointer.set_options(options)
        self._timeline.set_tolerance(options.gap_tolerance_s)
        self._next_look = min(self._next_look, self.watch.position + self._interval_samples)

    def _gate(self, options: SessionOptions) -> EnergyGate | None:
        return EnergyGate(self._frame_samples) if options.energy_gate else None

    def reset(self) -> None:
        """Forget everything, also the open utterance."""
        self._utterance = None
        self._restart()
        self._timeline.reset()
        self._timeline.position = self._buffer.end

    def _restart(self) -> None:
        self.watch.restart(self._buffer.end)
        self._endpointer.reset(self._buffer.end)

    def _on_jump(self, jump: Jump, events: list[Event]) -> None:
        """Small gaps lie inside the utterance and are marked; a long one, or a step back, ends it."""
        self._jump_sample = self._buffer.end
        self.last_jump = jump
        self.jumps += 1  # after last_jump: another thread may look at both
        if not 0 <= jump.missing_ns <= self.options.silence_s * 1e9:
            if self._utterance is not None:
                self._utterance.audio_gap = True
            events.extend(self.finish(EndReason.FORCED))
        elif self._utterance is not None:
            self._utterance.audio_gap = True

    def _on_change(self, change: Change, partials: bool, events: list[Event]) -> None:
        if change is Change.BEGAN:
            self._begin(events)
        elif change is Change.ENDED:
            self._end(self._endpointer.end_sample, EndReason.SILENCE, events)
            return
        if self._utterance is None:
            return
        if (
            self.watch.position - self._utterance.start_sample
            >= self.options.max_utterance_s * SAMPLE_RATE_HZ
        ):
            self._cut(events)
        elif self.watch.position >= self._next_look:
            self._look(self._utterance, partials, events)

    def _look(self, utterance: Utterance, partials: bool, events: list[Event]) -> None:
        """Go on decoding the open utterance, and say what is new.

        Commits are due at sample counts; only drafts may be left out, so that load changes no word.
        """
        self._plan_look()
        wanted = self.options.partial_interval_s > 0
        utterance.advance(self.watch.position, draft=partials and wanted)
        if utterance.blank_samples >= self.options.blank_s * SAMPLE_RATE_HZ:
            self._end(self.watch.position, EndReason.SILENCE, events)
            self._endpointer.reset(self.watch.position)
        elif wanted and (partial := utterance.partial(self.watch.position)):
            events.append(partial)

    def _open(self, start: int) -> Utterance:
        window = WindowOptions(self.options.left_s, self.options.chunk_s, self.options.right_s)
        agreement = LocalAgreement(self.options.agreeing_looks)
        return Utterance(self._recognizer, self._buffer, self._timeline, start, window, agreement)

    def _begin(self, events: list[Event]) -> None:
        start = self._endpointer.start_sample
        self._utterance = self._open(start)
        self._utterance.audio_gap = self._jump_sample > start  # in what was said before speech was sure
        self._next_look = start
        self._plan_look()
        events.append(SpeechActivity(True, self._timeline.stamp_ns(start)))

    def _end(self, end: int, reason: EndReason, events: list[Event]) -> None:
        utterance, self._utterance = self._utterance, None
        events.append(SpeechActivity(False, self._timeline.stamp_ns(end)))
        if utterance is not None and (final := utterance.final(end, reason, self.options.final_window_s)):
            events.append(final)

    def _cut(self, events: list[Event]) -> None:
        """The utterance is too long: end it at the calmest place of its last half and go on from there."""
        utterance = self._utterance
        if utterance is None:
            return
        cut = utterance.calmest_sample(self.watch.position)
        self._endpointer.continue_from(cut)
        self._utterance = self._open(cut)
        self._next_look = self.watch.position
        self._plan_look()
        if final := utterance.final(cut, EndReason.FORCED, self.options.final_window_s):
            events.append(final)

    @property
    def _interval_samples(self) -> int:
        """Between two looks."""
        return round((self.options.partial_interval_s or self.options.chunk_s) * SAMPLE_RATE_HZ)

    def _plan_look(self) -> None:
        self._next_look += self._interval_samples
