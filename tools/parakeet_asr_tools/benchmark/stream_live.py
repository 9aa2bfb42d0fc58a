"""Live sessions over a corpus: latencies by the virtual clock, revisions, finals beside offline."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from parakeet_asr.core.session import SessionOptions
from parakeet_asr.loader import Model
from parakeet_asr.records import SAMPLE_RATE_HZ, EndReason, FloatArray, Transcript
from parakeet_asr_tools.benchmark.accuracy import word_error_rate, words
from parakeet_asr_tools.benchmark.stream_measures import percentile, revision_rate
from parakeet_asr_tools.benchmark.stream_playback import Message, Playback, play

QUIET_BEFORE_S, QUIET_AFTER_S = 0.5, 1.0
ROOM_NOISE = 1e-4  # -80 dB: a quiet room, not digital silence

Spoken = list[tuple[Transcript, Message]]  # an utterance's messages, the final last


@dataclass(slots=True)
class Live:
    """What sessions over a corpus gave; latencies in seconds, one per utterance or word."""

    references: list[str] = field(default_factory=list)
    offline: list[str] = field(default_factory=list)
    finals: list[str] = field(default_factory=list)
    utterances: int = 0
    identical: int = 0  # finals with the tokens of `transcribe` of the samples they declare
    first_partial_s: list[float] = field(default_factory=list)  # after the first word's end
    first_partial_audio_s: list[float] = field(default_factory=list)  # the same without computing
    commit_s: list[float] = field(default_factory=list)  # until a word is stable, after its end
    final_s: list[float] = field(default_factory=list)  # after the detector's last speech
    final_audio_s: list[float] = field(default_factory=list)  # the same without computing
    final_after_word_s: list[float] = field(default_factory=list)  # after the last word's end
    revised: int = 0
    shown: int = 0
    stable_changed: int = 0  # words called stable that the final changed
    compute_s: float = 0.0
    audio_s: float = 0.0

    @property
    def wer_offline(self) -> float:
        """Of `transcribe` of the whole recordings."""
        return word_error_rate(self.references, self.offline)

    @property
    def wer_final(self) -> float:
        """Of the finals, joined per recording."""
        return word_error_rate(self.references, self.finals)

    @property
    def revision_rate(self) -> float:
        """Share of the words shown that changed later."""
        return self.revised / max(1, self.shown)

    @property
    def load(self) -> float:
        """Seconds of computing per second of sound."""
        return self.compute_s / max(1e-9, self.audio_s)

    def first_partial(self, share: float) -> tuple[float, float]:
        """Percentile of the first partial's delay, without and with computing."""
        return percentile(self.first_partial_audio_s, share), percentile(self.first_partial_s, share)


def measure_live(
    model: Model,
    recordings: Sequence[FloatArray],
    references: Sequence[str],
    options: SessionOptions,
    *,
    compare: bool = True,
) -> Live:
    """Play every recording, in a quiet room, into a session of its own.

    Args:
        model: one thread, so that processor time is the time it takes.
        recordings: [n] samples each.
        references: what was said.
        options: of the session.
        compare: transcribe offline, too: whole recordings, and what each final declares.
    """
    session = model.session(options)
    found = Live(references=list(references))
    rng = np.random.default_rng(0)
    for recording in recordings:
        quiet = [_room(rng, QUIET_BEFORE_S), _room(rng, QUIET_AFTER_S)]
        samples = np.concatenate((quiet[0], recording, quiet[1]))
        playback = play(session, samples)
        found.finals.append(" ".join(final.text for final in playback.finals))
        found.compute_s += playback.compute_s
        found.audio_s += playback.audio_s
        for spoken in playback.utterances():
            _take(found, spoken, options)
        if compare:
            found.offline.append(model.transcribe(recording).text)
            found.identical += sum(_identical(model, samples, playback))
    return found


def _identical(model: Model, samples: FloatArray, playback: Playback) -> Iterator[bool]:
    for final in playback.finals:
        start = round(final.start_ns * SAMPLE_RATE_HZ / 1e9)
        declared = samples[start : start + round(final.duration_s * SAMPLE_RATE_HZ)]
        yield model.transcribe(declared).tokens == final.tokens


def _take(found: Live, spoken: Spoken, options: SessionOptions) -> None:
    final, came = spoken[-1]
    start_s = final.start_ns / 1e9
    found.utterances += 1
    texts = [words(transcript.text) for transcript, _ in spoken]
    revised, shown = revision_rate(texts)
    found.revised += revised
    found.shown += shown
    found.stable_changed += _changed_stable_words(spoken)
    if not final.words:
        return
    first = next(message for transcript, message in spoken if transcript.text)
    first_end_s = start_s + final.words[0].end_s
    found.first_partial_s.append(first.ready_s - first_end_s)
    found.first_partial_audio_s.append(first.audio_s - first_end_s)
    found.commit_s += _commit_delays_s(spoken, start_s)
    if final.end_reason is EndReason.SILENCE:
        silence_from_s = start_s + final.duration_s - options.post_roll_s
        found.final_s.append(came.ready_s - silence_from_s)
        found.final_audio_s.append(came.audio_s - silence_from_s)
        found.final_after_word_s.append(came.audio_s - start_s - final.words[-1].end_s)


def _commit_delays_s(spoken: Spoken, start_s: float) -> Iterator[float]:
    for index, word in enumerate(spoken[-1][0].words):
        stable = next(message for transcript, message in spoken if transcript.stable_words > index)
        yield stable.ready_s - (start_s + word.end_s)


def _changed_stable_words(spoken: Spoken) -> int:
    """Stable words of the last partial that the final, decoded from the whole utterance, has otherwise."""
    if len(spoken) < 2:
        return 0
    partial, final = spoken[-2][0], spoken[-1][0]
    stable = [word.text for word in partial.words[: partial.stable_words]]
    kept = [word.text for word in final.words]
    return sum(index >= len(kept) or kept[index] != word for index, word in enumerate(stable))


def _room(rng: np.random.Generator, seconds: float) -> FloatArray:
    noise = ROOM_NOISE * rng.standard_normal(round(seconds * SAMPLE_RATE_HZ))
    return np.asarray(noise, np.float32)
