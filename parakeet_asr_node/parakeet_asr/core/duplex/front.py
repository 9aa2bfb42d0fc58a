"""Before the session: the echo of what is played is taken out, and a person who speaks meanwhile is noticed.

Works in frames of 10 ms on a grid that begins with the stream, so that the split into chunks changes
nothing. While nothing is played sound passes as it came, and nothing is computed.
"""

from __future__ import annotations

import numpy as np

from parakeet_asr.core.duplex.alignment import EchoAlignment
from parakeet_asr.core.duplex.barge_in import AcousticBargeIn
from parakeet_asr.core.duplex.canceller import CANCELLER_FRAME_SAMPLES, EchoCanceller
from parakeet_asr.core.duplex.delay import WINDOW_SAMPLES as SEARCH_WINDOW
from parakeet_asr.core.duplex.evidence import NearEvidence
from parakeet_asr.core.duplex.near import NearDetector
from parakeet_asr.core.duplex.playback import Playback
from parakeet_asr.core.duplex.residual import WINDOW_SAMPLES
from parakeet_asr.core.duplex.withheld import BEHIND_FRAMES, Frame, Withheld, joined
from parakeet_asr.core.sample_buffer import SampleBuffer
from parakeet_asr.core.sound import silence_nonsense
from parakeet_asr.core.timeline import SAMPLE_NS
from parakeet_asr.records import SAMPLE_RATE_HZ, AudioChunk, BargeIn, FloatArray

_FRAME = CANCELLER_FRAME_SAMPLES
_LEAD = 80  # samples by which the reference comes before the echo's strongest path
_LOUDER, _LOUD = 30.0, 1e-6  # power of speech: 15 dB above the quietest frame, and above -60 dB


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
        self.canceller: EchoCanceller | None = None  # without one the detector alone decides
        self._barge_in = barge_in
        self._tolerance_ns = round(tolerance_s * 1e9)
        self._alignment = EchoAlignment(playback)
        self._near = NearDetector()
        self._withheld = Withheld()
        self.evidence = NearEvidence()
        self.removes = True  # False: only look
        self.min_speech_s = 0.25  # of a person, that interrupts
        self.reset()

    def reset(self) -> None:
        """Forget the sound; what is known of the room stays."""
        self._buffer = SampleBuffer(8 * SAMPLE_RATE_HZ)
        self._done = 0  # samples of the buffer that are through
        self._anchor: tuple[int, int] | None = None  # a position in the buffer and its clock position
        self._withheld.reset()
        self._alignment.reset()
        self._near.forget_sound()

    @property
    def delay_s(self) -> float | None:
        """From handing a sound over to its echo."""
        delay = self._alignment.delay_samples
        return None if delay is None else delay / SAMPLE_RATE_HZ

    @property
    def echo_power(self) -> float | None:
        """Of the robot's voice in the microphone; None: not measured."""
        return self._withheld.level.power

    @property
    def erle_db(self) -> float | None:
        """Echo return loss enhancement, lately, where the robot spoke alone."""
        return self._withheld.level.erle_db if self.canceller is not None and self.removes else None

    def push(self, chunk: AudioChunk) -> tuple[list[AudioChunk], list[BargeIn]]:
        """Take the next chunk; what is to be heard of it and of those before, and who interrupted."""
        out: list[AudioChunk] = []
        found: list[BargeIn] = []
        if self._jumped(chunk):
            out += self.flush()
            self._anchor = None
        if self._anchor is None or not self._alignment.playing:
            self._anchor = (self._buffer.end, chunk.stamp_ns)
        lost = chunk.discontinuity
        self._buffer.append(silence_nonsense(chunk.samples)[0])
        out += self._bypass()
        while self._done + self._withheld.samples + _FRAME <= self._buffer.end:
            if barge_in := self._frame(self._done + self._withheld.samples):
                found.append(barge_in)
            out += self._release()
        self._buffer.forget_before(self._done - SEARCH_WINDOW)
        if lost and out:
            out[0] = AudioChunk(out[0].samples, out[0].stamp_ns, True)
        return joined(out), found

    def flush(self) -> list[AudioChunk]:
        """All that is held back, to the last sample."""
        out = self._release(everything=True)
        if self._done < self._buffer.end:
            rest = self._buffer.view(self._done, self._buffer.end).copy()
            out.append(AudioChunk(rest, self._stamp(self._done)))
            self._done = self._buffer.end
        return joined(out)

    def _bypass(self) -> list[AudioChunk]:
        """Whole frames as they came, where nothing is played."""
        whole = (self._buffer.end - self._done) // _FRAME * _FRAME
        if not whole or self._withheld or self._audible(self._done, self._done + whole):
            return []
        self._alignment.end()
        begin, self._done = self._done, self._done + whole
        return [AudioChunk(self._buffer.view(begin, self._done).copy(), self._stamp(begin))]

    def _release(self, *, everything: bool = False) -> list[AudioChunk]:
        wait = self.removes and self._alignment.playing
        out = self._withheld.release(mute=self.removes, wait=wait, everything=everything)
        self._done += len(out) * _FRAME
        return out

    # --- one frame --------------------------------------------------------------------------------

    def _frame(self, begin: int) -> BargeIn | None:
        sound, stamp_ns = self._buffer.view(begin, begin + _FRAME), self._stamp(begin)
        clock = stamp_ns // SAMPLE_NS
        if not self._audible(begin, begin + _FRAME):
            self._alignment.end()
            self._withheld.add(Frame(stamp_ns, sound.copy(), True))
            return None
        if not self._alignment.playing:
            self._begin(begin, clock)
        if self._alignment.due():
            end = begin + _FRAME
            captured = self._buffer.view(max(end - SEARCH_WINDOW, 0), end)
            if self._alignment.look(captured, clock + _FRAME):
                self._near.relearn()  # the canceller's filter has to follow first
        cleaned, near = self._clean(sound, clock)
        robot = self._alignment.confirmed and self._alignment.robot_sounds(clock, clock + _FRAME)
        powers = (_power(sound), _power(cleaned)) if robot else None
        self._withheld.add(Frame(stamp_ns, cleaned if self.removes else sound.copy(), near, powers))
        self.evidence.add(stamp_ns, near)
        if self._barge_in is None:
            return None
        return self._barge_in.push(cleaned, near, stamp_ns, self.min_speech_s)

    def _begin(self, begin: int, clock: int) -> None:
        self._alignment.begin(clock)
        self._withheld.begin(somebody_speaks=self._somebody_speaks(begin))
        if self._barge_in is not None:
            self._barge_in.reset()

    def _somebody_speaks(self, begin: int) -> bool:
        """Whether it was loud just before the robot began: who spoke until then goes on."""
        before = self._buffer.view(max(0, begin - SEARCH_WINDOW), begin)
        frames = np.square(before[len(before) % _FRAME :].reshape(-1, _FRAME)).mean(axis=1)
        if len(frames) < BEHIND_FRAMES:
            return True
        return bool(frames[-BEHIND_FRAMES:].mean() > max(_LOUDER * frames.min(), _LOUD))

    def _clean(self, sound: FloatArray, clock: int) -> tuple[FloatArray, bool]:
        """The frame without its echo, and whether a person speaks in it."""
        if not self._alignment.confirmed:
            self._near.listen(sound, sound)
            return sound.copy(), not self._alignment.may_be_echo(clock)
        end = clock + _FRAME
        cleaned = sound.copy()
        if self.canceller is not None:
            cleaned = self.canceller.cancel(sound, self._alignment.reference(end, _FRAME, _LEAD))
        reference = self._alignment.reference(end, WINDOW_SAMPLES)  # no lead: energies are where they are
        near = self._near.push(sound, cleaned, reference)
        return sound.copy() if self._near.worsens else cleaned, near

    # --- the clock --------------------------------------------------------------------------------

    def _audible(self, start: int, stop: int) -> bool:
        """Whether anything that is played can be heard in the samples [start, stop)."""
        clock = self._stamp(start) // SAMPLE_NS
        return self._alignment.audible(clock, clock + stop - start)

    def _jumped(self, chunk: AudioChunk) -> bool:
        if self._anchor is None:
            return False
        return chunk.discontinuity or abs(chunk.stamp_ns - self._stamp(self._buffer.end)) > self._tolerance_ns

    def _stamp(self, position: int) -> int:
        base, stamp_ns = self._anchor or (0, 0)
        return stamp_ns + (position - base) * SAMPLE_NS


def _power(sound: FloatArray) -> float:
    return float(np.mean(np.square(sound)))
