"""The session: the same samples give the same events whatever the chunks; time comes from stamps."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fakes import BLANK, PIECES, LoudnessDetector, PieceTokenizer, ScriptedEngine, quiet, tone
from parakeet_asr.core.engine import EncoderOutput
from parakeet_asr.core.recognizer import Recognizer
from parakeet_asr.core.session import SessionOptions, SpeechSession
from parakeet_asr.errors import ConfigurationError
from parakeet_asr.records import (
    AudioChunk,
    EndReason,
    Event,
    FloatArray,
    IntArray,
    SpeechActivity,
    Transcript,
)

START_NS = 1_700_000_000_000_000_000
SPEECH = np.concatenate([quiet(1.0), tone(1.5), quiet(1.2), tone(0.8, 0.1), quiet(1.0)])


def session(**options: float) -> SpeechSession:
    return SpeechSession(
        Recognizer(ScriptedEngine(), PieceTokenizer()), LoudnessDetector(), SessionOptions(**options)
    )


def play(
    target: SpeechSession, samples: FloatArray, sizes: list[int], start_ns: int = START_NS
) -> list[Event]:
    events, position, turn = [], 0, 0
    while position < len(samples):
        piece = samples[position : position + sizes[turn % len(sizes)]]
        events += target.push(AudioChunk(piece, start_ns + position * 62_500))
        position += len(piece)
        turn += 1
    return events + target.finish(EndReason.STREAM)


def finals(events: list[Event]) -> list[Transcript]:
    return [e for e in events if isinstance(e, Transcript) and e.is_final]


@settings(max_examples=25, deadline=None)
@given(sizes=st.lists(st.integers(1, 9000), min_size=1, max_size=8))
def test_chunking_changes_nothing(sizes: list[int]) -> None:
    assert play(session(), SPEECH, [max(80, s) for s in sizes]) == play(session(), SPEECH, [len(SPEECH)])


def test_one_final_per_utterance_and_it_is_the_last_message() -> None:
    messages = [e for e in play(session(), SPEECH, [1600]) if isinstance(e, Transcript)]
    assert len({m.utterance_id for m in messages}) == len(finals(messages)) == 2
    for utterance in {m.utterance_id for m in messages}:
        own = [m for m in messages if m.utterance_id == utterance]
        revisions = [m.revision for m in own]
        assert revisions == sorted(set(revisions))
        assert revisions[0] >= 1
        assert [m.is_final for m in own] == [False] * (len(own) - 1) + [True]


def test_times_derive_from_stamps() -> None:
    first, second = finals(play(session(), SPEECH, [1600]))
    onset_s = (first.start_ns - START_NS) / 1e9 + first.words[0].start_s
    assert onset_s == pytest.approx(1.0, abs=0.1)
    onset_s = (second.start_ns - START_NS) / 1e9 + second.words[0].start_s
    assert onset_s == pytest.approx(3.7, abs=0.1)
    assert first.end_reason is EndReason.SILENCE


def test_a_final_is_what_the_recognizer_makes_of_exactly_its_samples() -> None:
    target = session()
    for final in finals(play(target, SPEECH, [1600])):
        start = (final.start_ns - START_NS) // 62_500
        samples = SPEECH[start : start + round(final.duration_s * 16_000)]
        assert final.tokens == target._recognizer.recognize([samples])[0].tokens


def test_a_long_utterance_is_cut_where_it_is_calm_and_nothing_is_lost() -> None:
    speech = np.concatenate([tone(3.2), tone(0.3, 0.02), tone(3.0), quiet(1.0)])
    cut = finals(play(session(max_utterance_s=4.0), speech, [1600]))
    assert [f.end_reason for f in cut] == [EndReason.FORCED, EndReason.SILENCE]
    first_end_ns = cut[0].start_ns + round(cut[0].duration_s * 1e9)
    assert first_end_ns == cut[1].start_ns
    assert first_end_ns - START_NS == pytest.approx(3.35e9, abs=0.2e9)


def test_a_pause_just_behind_the_middle_is_preferred_to_cutting_a_word() -> None:
    speech = np.concatenate([tone(2.15), tone(0.3, 0.02), tone(4.0), quiet(1.0)])
    first = finals(play(session(max_utterance_s=4.0), speech, [1600]))[0]
    assert first.end_reason is EndReason.FORCED
    assert (first.start_ns - START_NS) / 1e9 + first.duration_s == pytest.approx(2.3, abs=0.15)


def test_noise_that_the_detector_takes_for_speech_ends_by_the_decoders_blanks() -> None:
    class Everything(LoudnessDetector):
        def probability(self, frame: FloatArray) -> float:
            return 1.0

    options = SessionOptions(blank_s=2.0, chunk_s=0.8, right_s=0.8)
    target = SpeechSession(Recognizer(ScriptedEngine(), PieceTokenizer()), Everything(), options)
    audio = np.concatenate([tone(1.5), 1e-3 * tone(4.0, 0.1), tone(1.0)])
    first, last = finals(play(target, audio, [1600]))
    assert first.end_reason is EndReason.SILENCE
    assert 3.5 <= first.duration_s <= 4.6, "the noise belongs to the utterance: the guard may look at it"
    assert last.end_reason is EndReason.STREAM
    other = finals(play(SpeechSession(target._recognizer, Everything(), options), audio, [len(audio)]))
    assert other == [first, last]


def test_a_small_gap_is_marked_and_moves_no_time() -> None:
    target = session()
    events: list[Event] = []
    stamp = START_NS
    for i in range(20):  # 0.1 s each; 0.3 s are missing before the eleventh
        stamp += 300_000_000 if i == 10 else 0
        events += target.push(AudioChunk(tone(0.1), stamp))
        stamp += 100_000_000
    (final,) = finals(events + target.finish(EndReason.FINALIZED))
    assert final.audio_gap
    assert final.words[-1].end_s == pytest.approx(2.3, abs=0.1)
    assert target.jumps == 1


def test_a_gap_before_speech_was_sure_is_marked_too() -> None:
    """min_speech_s has not passed when 0.15 s get lost; an older gap belongs to nobody."""
    target = session()
    target.push(AudioChunk(quiet(2.0), START_NS))
    target.push(AudioChunk(quiet(2.0), START_NS + 2_200_000_000))
    assert target.jumps == 1
    onset_ns = START_NS + 4_200_000_000
    target.push(AudioChunk(tone(0.1), onset_ns))
    target.push(AudioChunk(tone(1.0), onset_ns + 250_000_000))
    (final,) = finals(target.finish(EndReason.FINALIZED))
    assert final.audio_gap
    assert target.last_jump is not None
    assert target.last_jump.missing_ns == 150_000_000

    untouched = session()
    untouched.push(AudioChunk(quiet(2.0), START_NS))
    untouched.push(AudioChunk(quiet(2.0), START_NS + 2_200_000_000))
    untouched.push(AudioChunk(tone(1.0), onset_ns))
    assert not finals(untouched.finish(EndReason.FINALIZED))[0].audio_gap


def test_a_long_gap_ends_the_utterance() -> None:
    target = session()
    events = target.push(AudioChunk(tone(1.0), START_NS)) + target.push(
        AudioChunk(tone(1.0), START_NS + 60_000_000_000)
    )
    events += target.finish(EndReason.STREAM)
    first, second = finals(events)
    assert first.audio_gap
    assert first.end_reason is EndReason.FORCED
    assert second.start_ns == START_NS + 60_000_000_000
    assert not second.audio_gap


def test_jitter_of_stamps_is_not_a_gap() -> None:
    target = session()
    rng = np.random.default_rng(1)
    for i in range(50):
        target.push(AudioChunk(tone(0.1), START_NS + i * 100_000_000 + int(rng.integers(-20e6, 20e6))))
    assert target.jumps == 0


def test_a_drifting_clock_never_adds_up_to_a_gap() -> None:
    target = session()
    for i in range(1000):  # 1 % fast: a second in 100 s
        target.push(AudioChunk(quiet(0.1), START_NS + i * 101_000_000))
    assert target.jumps == 0


def test_finish_takes_what_is_there() -> None:
    target = session(min_speech_s=0.5)
    target.push(AudioChunk(tone(0.3), START_NS))
    events = target.finish(EndReason.FINALIZED)
    assert finals(events)[0].end_reason is EndReason.FINALIZED
    assert finals(events)[0].duration_s == pytest.approx(0.3)
    assert target.finish(EndReason.FINALIZED) == []


def test_silence_says_nothing() -> None:
    assert play(session(), quiet(5.0), [1600]) == []


def test_not_a_number_is_silence_and_the_stream_goes_on() -> None:
    target = session()
    target.push(AudioChunk(np.full(1600, np.nan, np.float32), START_NS))
    assert len(finals(play(target, SPEECH, [1600], START_NS + 100_000_000))) == 2


def test_reset_forgets_the_open_utterance() -> None:
    target = session()
    target.push(AudioChunk(tone(1.0), START_NS))
    assert target.utterance_open
    target.reset()
    assert target.finish(EndReason.STREAM) == []
    assert len(finals(play(target, SPEECH, [1600]))) == 2


def test_activity_brackets_every_utterance() -> None:
    activity = [e.active for e in play(session(), SPEECH, [1600]) if isinstance(e, SpeechActivity)]
    assert activity == [True, False, True, False]


def test_under_load_drafts_are_left_out_and_finals_stay() -> None:
    loaded, free = session(), session()
    chunk = AudioChunk(SPEECH, START_NS)
    few, many = loaded.push(chunk, partials=False), free.push(chunk)
    assert len(few) < len(many)
    assert [f.text for f in finals(few)] == [f.text for f in finals(many)]


def test_a_lone_full_stop_is_not_said() -> None:
    class FullStop(ScriptedEngine):
        def encode(self, features: FloatArray, lengths: IntArray) -> EncoderOutput:
            encoded = super().encode(features, lengths)
            encoded.projected[:, :, 0] = BLANK
            encoded.projected[:, 3, 0] = PIECES.index(".")
            return encoded

    target = SpeechSession(Recognizer(FullStop(), PieceTokenizer()), LoudnessDetector())
    assert [e for e in play(target, SPEECH, [1600]) if isinstance(e, Transcript)] == []


@pytest.mark.parametrize(
    "bad", [{"silence_s": 0.0}, {"pre_roll_s": -1.0}, {"speech_threshold": 1.5}, {"max_utterance_s": 1.0}]
)
def test_options_that_cannot_work_are_refused(bad: dict[str, float]) -> None:
    with pytest.raises(ConfigurationError, match="expected|must"):
        SessionOptions(**bad)


def test_other_options_take_effect_inside_an_open_utterance_and_lose_nothing() -> None:
    target = session()
    events = target.push(AudioChunk(tone(1.0), START_NS))
    target.set_options(SessionOptions(silence_s=2.0))
    events += target.push(AudioChunk(quiet(1.5), START_NS + 1_000_000_000))
    assert not finals(events)
    events += target.push(AudioChunk(quiet(0.6), START_NS + 2_500_000_000))
    (final,) = finals(events)
    assert final.start_ns == START_NS
    assert not final.audio_gap


def test_options_change_while_somebody_speaks_and_no_sample_is_lost() -> None:
    target, events = session(), []
    for i, start in enumerate(range(0, len(SPEECH), 1600)):
        if i % 3 == 0:  # whatever changes, the words stay
            target.set_options(SessionOptions(partial_interval_s=0.1 * (i % 4), left_s=2.0 + i % 5))
        events += target.push(AudioChunk(SPEECH[start : start + 1600], START_NS + start * 62_500))
    events += target.finish(EndReason.STREAM)
    usual = finals(play(session(), SPEECH, [1600]))
    assert [(f.text, f.start_ns, f.duration_s) for f in finals(events)] == [
        (f.text, f.start_ns, f.duration_s) for f in usual
    ]


def test_another_silence_holds_from_the_next_frame_on() -> None:
    target = session(silence_s=0.6)
    events = target.push(AudioChunk(SPEECH[: 2 * 16_000], START_NS))
    target.set_options(SessionOptions(silence_s=2.0))  # in the middle of the first tone: it bridges the pause
    events += target.push(AudioChunk(SPEECH[2 * 16_000 :], START_NS + 2_000_000_000))
    (final,) = finals(events + target.finish(EndReason.STREAM))
    assert final.duration_s > 3.5


def test_a_longer_pre_roll_takes_nothing_that_was_forgotten() -> None:
    rng = np.random.default_rng(3)
    noise = (0.001 * rng.standard_normal(120 * 16_000)).astype(np.float32)  # the buffer went round
    target = session(pre_roll_s=0.1, energy_gate=False)
    for start in range(0, len(noise), 1600):
        target.push(AudioChunk(noise[start : start + 1600], START_NS + start * 62_500))
    target.set_options(SessionOptions(pre_roll_s=2.0, energy_gate=False))
    events = target.push(AudioChunk(tone(1.0), START_NS + 120_000_000_000))
    began = next(e for e in events if isinstance(e, SpeechActivity))
    assert 0 <= START_NS + 120_000_000_000 - began.stamp_ns <= 150_000_000
    assert finals(events + target.finish(EndReason.STREAM))


def test_finals_do_not_depend_on_the_load_that_leaves_drafts_out() -> None:
    busy, free = session(chunk_s=0.4, right_s=0.4), session(chunk_s=0.4, right_s=0.4)
    events: dict[str, list[Event]] = {"busy": [], "free": []}
    for start in range(0, len(SPEECH), 1600):
        chunk = AudioChunk(SPEECH[start : start + 1600], START_NS + start * 62_500)
        events["busy"] += busy.push(chunk, partials=False)
        events["free"] += free.push(chunk, partials=True)
    partials = {name: len(found) - len(finals(found)) for name, found in events.items()}
    assert partials["busy"] < partials["free"]
    assert finals(events["busy"]) == finals(events["free"])
