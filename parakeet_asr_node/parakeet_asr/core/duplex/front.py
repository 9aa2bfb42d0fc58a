"""Before the session: the echo of what is played is taken out, and a person who speaks meanwhile is noticed.

Works in frames of 10 ms on a grid that begins with the stream, so that the split into chunks changes
nothing. While nothing is played sound passes as it came, and nothing is computed.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from parakeet_asr.core.duplex.barge_in import AcousticBargeIn
from parakeet_asr.core.duplex.canceller import CANCELLER_FRAME_SAMPLES, EchoCanceller
from parakeet_asr.core.duplex.delay import SEARCH_SAMPLES, DelaySearch
from parakeet_asr.core.duplex.delay import WINDOW_SAMPLES as SEARCH_WINDOW
from parakeet_asr.core.duplex.evidence import NearEvidence
from parakeet_asr.core.duplex.near import NearDetector
from parakeet_asr.core.duplex.playback import Playback
from parakeet_asr.core.duplex.residual import WINDOW_SAMPLES
from parakeet_asr.core.sample_buffer import SampleBuffer
from parakeet_asr.core.sound import silence_nonsense
from parakeet_asr.core.timeline import SAMPLE_NS
from parakeet_asr.records import SAMPLE_RATE_HZ, AudioChunk, BargeIn, FloatArray

_FRAME = CANCELLER_FRAME_SAMPLES
_LEAD = 80  # samples by which the reference comes before the echo's strongest path
_ECHO_TAIL = round(0.6 * SAMPLE_RATE_HZ)  # behind the last echo the room is still sounding
_SEARCH_FRAMES = (10, 50)  # between two comparisons, while the delay is not sure and when it is
_AHEAD_FRAMES = 25  # sound is held back for so long, to see whether a person begins in it
_SUSTAINED = 15  # of them with a person: what is shorter is the robot's, whose filter has not converged
_BEHIND_FRAMES = 25  # and so long after
_UNHEARD = SEARCH_SAMPLES + SAMPLE_RATE_HZ  # no echo was found for so long: there is none
_EARLY = round(0.3 * SAMPLE_RATE_HZ)  # by which an echo may come earlier than the last one did
_MUTED = np.float32(0.01)  # what is left of sound that the reference explains
_LOUDER, _LOUD = 30.0, 1e-6  # power of speech: 15 dB above the quietest frame, and above -60 dB
_AVERAGED = 0.995  # of levels that are reported, per frame


@dataclass(slots=True)
class _Held:
    """A frame that waits until it is known whether a person begins to speak."""

    position: int  # in the buffer
    sound: FloatArray
    near: bool
    powers: tuple[float, float] | None = None  # before and after the canceller, where the robot sounds


class EchoFront:
    """One stream. Not thread safe."""

    def __init__(
        self,
        playback: Playback,
        barge_in: AcousticBargeIn | None,
        tolerance_s: float = 0.1,
    ) -> None:
        """Take the echo of ``playback`` out.

        Args:
            playback: what the loudspeaker gets.
            barge_in: notices people; None: nobody looks.
            tolerance_s: stamps may jitter by so much.
        """
        self._playback = playback
        self.canceller: EchoCanceller | None = None  # without one the detector alone decides
        self._barge_in = barge_in
        self._tolerance_ns = round(tolerance_s * 1e9)
        self._search = DelaySearch()
        self._near = NearDetector()
        self.evidence = NearEvidence()
        self.echo_power: float | None = None
        self._left_power = 0.0
        self._accounted = 0  # frames
        self.removes = True  # False: only look
        self.min_speech_s = 0.25  # of a person, that interrupts
        self.reset()

    def reset(self) -> None:
        """Forget the sound; what is known of the room stays."""
        self._buffer = SampleBuffer(8 * SAMPLE_RATE_HZ)
        self._done = 0  # samples of the buffer that are through
        self._anchor: tuple[int, int] | None = None  # a position in the buffer and its clock position
        self._held: deque[_Held] = deque()
        self._since_near = _BEHIND_FRAMES
        self._frames = 0
        self._playing_since: int | None = None
        self._near.forget_sound()

    @property
    def delay_s(self) -> float | None:
        """From handing a sound over to its echo."""
        delay = self._search.delay_samples
        return None if delay is None else delay / SAMPLE_RATE_HZ

    @property
    def erle_db(self) -> float | None:
        """Echo return loss enhancement, lately, where the robot spoke alone."""
        if self.canceller is None or not self.echo_power or not self.removes:
            return None
        return float(10 * np.log10(self.echo_power / max(self._left_power, 1e-12)))

    def push(self, chunk: AudioChunk) -> tuple[list[AudioChunk], list[BargeIn]]:
        """Take the next chunk; what is to be heard of it and of those before, and who interrupted."""
        out: list[AudioChunk] = []
        found: list[BargeIn] = []
        if self._jumped(chunk):
            out += self.flush()
            self._anchor = None
        if self._anchor is None or self._playing_since is None:
            self._anchor = (self._buffer.end, chunk.stamp_ns)
        lost = chunk.discontinuity
        self._buffer.append(silence_nonsense(chunk.samples)[0])
        out += self._bypass()
        while self._done + self._held_samples + _FRAME <= self._buffer.end:
            begin = self._done + self._held_samples
            if barge_in := self._frame(begin):
                found.append(barge_in)
            out += self._release()
        self._buffer.forget_before(self._done - SEARCH_WINDOW)
        if lost and out:
            out[0] = AudioChunk(out[0].samples, out[0].stamp_ns, True)
        return _joined(out), found

    def _bypass(self) -> list[AudioChunk]:
        """Whole frames as they came, where nothing is played."""
        whole = (self._buffer.end - self._done) // _FRAME * _FRAME
        if not whole or self._held or self._audible(self._done, self._done + whole):
            return []
        self._playing_since = None
        begin, self._done = self._done, self._done + whole
        return [AudioChunk(self._buffer.view(begin, self._done).copy(), self._stamp(begin))]

    def _audible(self, start: int, stop: int) -> bool:
        """Whether anything that is played can be heard in the samples [start, stop)."""
        clock = self._stamp(start) // SAMPLE_NS
        delay = self._search.delay_samples
        reach = SEARCH_SAMPLES if delay is None or not self._search.confirmed else delay
        return self._playback.audible(clock - reach - _ECHO_TAIL, clock + stop - start)

    def flush(self) -> list[AudioChunk]:
        """All that is held back, to the last sample."""
        out = self._release(all_of_it=True)
        if self._done < self._buffer.end:
            rest = self._buffer.view(self._done, self._buffer.end).copy()
            out.append(AudioChunk(rest, self._stamp(self._done)))
            self._done = self._buffer.end
        return _joined(out)

    # --- one frame --------------------------------------------------------------------------------

    @property
    def _held_samples(self) -> int:
        return len(self._held) * _FRAME

    def _frame(self, begin: int) -> BargeIn | None:
        sound = self._buffer.view(begin, begin + _FRAME)
        clock = self._stamp(begin) // SAMPLE_NS
        if not self._audible(begin, begin + _FRAME):
            self._playing_since = None
            self._held.append(_Held(begin, sound.copy(), True))
            return None
        if self._playing_since is None:
            self._begin(begin, clock)
        self._frames += 1
        self._look(begin + _FRAME, clock + _FRAME)
        cleaned, near = self._clean(sound, clock)
        held = _Held(begin, cleaned if self.removes else sound.copy(), near)
        if self._search.confirmed and self._robot_sounds(clock):
            held.powers = _power(sound), _power(cleaned)
        self._held.append(held)
        self.evidence.add(self._stamp(begin), near)
        if self._barge_in is None:
            return None
        return self._barge_in.push(cleaned, near, self._stamp(begin), self.min_speech_s)

    def _begin(self, begin: int, clock: int) -> None:
        self._playing_since = clock
        self._search.restart()
        self._since_near = 0 if self._somebody_speaks(begin) else _BEHIND_FRAMES
        if self._barge_in is not None:
            self._barge_in.reset()

    def _somebody_speaks(self, begin: int) -> bool:
        """Whether it was loud just before the robot began: who spoke until then goes on."""
        start = max(0, begin - SEARCH_WINDOW)
        before = self._buffer.view(start, begin)
        frames = np.square(before[len(before) % _FRAME :].reshape(-1, _FRAME)).mean(axis=1)
        if len(frames) < _BEHIND_FRAMES:
            return True
        return bool(frames[-_BEHIND_FRAMES:].mean() > max(_LOUDER * frames.min(), _LOUD))

    def _look(self, end: int, clock: int) -> None:
        if self._frames % _SEARCH_FRAMES[self._search.confirmed]:
            return
        start = max(end - SEARCH_WINDOW, 0)
        near = np.zeros(SEARCH_WINDOW, np.float32)
        near[SEARCH_WINDOW - (end - start) :] = self._buffer.view(start, end)
        before = self._search.delay_samples
        far = self._playback.read(clock - SEARCH_SAMPLES - SEARCH_WINDOW, clock)
        self._search.look(near, far, clock - (self._playing_since or clock))
        if self._search.delay_samples != before:
            self._near.relearn()  # the canceller's filter has to follow first

    def _clean(self, sound: FloatArray, clock: int) -> tuple[FloatArray, bool]:
        """The frame without its echo, and whether a person speaks in it."""
        delay = self._search.delay_samples
        if delay is None or not self._search.confirmed:
            self._near.listen(sound, sound)
            return sound.copy(), not self._may_be_echo(clock)
        at = clock - delay + min(_LEAD, delay)
        cleaned = sound.copy()
        if self.canceller is not None:
            cleaned = self.canceller.cancel(sound, self._playback.read(at, at + _FRAME))
        end = clock - delay + _FRAME  # no lead: energies are compared where they are
        near = self._near.push(sound, cleaned, self._playback.read(end - WINDOW_SAMPLES, end))
        return sound.copy() if self._near.worsens else cleaned, near

    def _may_be_echo(self, clock: int) -> bool:
        """Where the delay of this utterance is not found yet, only time tells."""
        playing = clock - (self._playing_since or clock)
        known = self._search.delay_samples
        earliest = 0 if known is None else known - _EARLY
        return earliest <= playing < _UNHEARD

    def _robot_sounds(self, clock: int) -> bool:
        position = clock - (self._search.delay_samples or 0)
        return self._playback.audible(position, position + _FRAME)

    def _account(self, echo: float, left: float) -> None:
        self._accounted += 1
        weight = max(1 / self._accounted, 1 - _AVERAGED)
        before = self.echo_power or 0.0
        self.echo_power = before + weight * (echo - before)
        self._left_power += weight * (left - self._left_power)

    # --- what comes out ---------------------------------------------------------------------------

    def _release(self, *, all_of_it: bool = False) -> list[AudioChunk]:
        """Frames that have waited long enough; those without a person are muted."""
        out: list[AudioChunk] = []
        wait = _AHEAD_FRAMES if self.removes and self._playing_since is not None else 0
        while self._held and (all_of_it or len(self._held) > wait):
            frame = self._held.popleft()
            ahead = frame.near + sum(later.near for later in self._held) >= min(_SUSTAINED, wait + 1)
            self._since_near = 0 if ahead else self._since_near + 1
            sound = frame.sound
            alone = self._since_near > _BEHIND_FRAMES
            if alone and frame.powers is not None:
                self._account(*frame.powers)
            if alone and self.removes:
                sound = sound * _MUTED
            out.append(AudioChunk(sound, self._stamp(frame.position)))
            self._done = frame.position + _FRAME
        return out

    def _jumped(self, chunk: AudioChunk) -> bool:
        if self._anchor is None:
            return False
        return chunk.discontinuity or abs(chunk.stamp_ns - self._stamp(self._buffer.end)) > self._tolerance_ns

    def _stamp(self, position: int) -> int:
        base, stamp_ns = self._anchor or (0, 0)
        return stamp_ns + (position - base) * SAMPLE_NS


def _power(sound: FloatArray) -> float:
    return float(np.mean(np.square(sound)))


def _joined(chunks: list[AudioChunk]) -> list[AudioChunk]:
    """Neighbours as one chunk."""
    if len(chunks) < 2:
        return chunks
    out: list[list[AudioChunk]] = [[chunks[0]]]
    for before, chunk in pairwise(chunks):
        follows = chunk.stamp_ns == before.stamp_ns + len(before.samples) * SAMPLE_NS
        if follows and not chunk.discontinuity:
            out[-1].append(chunk)
        else:
            out.append([chunk])
    return [
        AudioChunk(np.concatenate([c.samples for c in run]), run[0].stamp_ns, run[0].discontinuity)
        for run in out
    ]
