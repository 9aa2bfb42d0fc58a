"""Whole pieces and recordings of any length, through the scripted engine."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fakes import PieceTokenizer, ScriptedEngine, quiet, tone
from parakeet_asr.core.longform import LongformOptions, recognize_stream
from parakeet_asr.core.recognizer import BatchOptions, Recognizer
from parakeet_asr.records import FloatArray, Token, Transcription

SMALL = LongformOptions(single_pass_s=4.0, piece_s=3.0, search_s=1.0, context_s=0.8)


def recognizer(batching: BatchOptions | None = None) -> Recognizer:
    return Recognizer(ScriptedEngine(), PieceTokenizer(), batching)


def speech(seconds: float, seed: int = 0) -> FloatArray:
    """Bursts of tone of changing loudness with pauses between."""
    rng = np.random.default_rng(seed)
    parts = [
        np.concatenate([tone(0.4, float(rng.uniform(0.05, 0.9))), quiet(0.24)])
        for _ in range(int(seconds / 0.64))
    ]
    return np.concatenate(parts)


def last(audio: FloatArray, blocks: list[int]) -> Transcription:
    target = recognizer()
    pieces = np.split(audio, np.cumsum(blocks)) if blocks else [audio]
    return recognize_stream(target, pieces, SMALL)


def test_a_batch_equals_one_at_a_time_and_keeps_the_order() -> None:
    audio = [speech(s, seed) for seed, s in enumerate((2.0, 0.7, 3.1, 1.4, 2.0))]
    single = [recognizer().recognize([a])[0] for a in audio]
    assert recognizer(BatchOptions(max_utterances=3)).recognize(audio) == single
    assert all(s.tokens for s in single)


def test_batches_hold_similar_lengths_and_stay_below_the_bound() -> None:
    target = recognizer(BatchOptions(max_utterances=8, max_frames=500))
    target.recognize([tone(s) for s in (0.5, 2.0, 1.0, 2.0, 0.6)])
    assert target.engine.encoded_frames == [[200, 200], [100, 60, 50]]


@pytest.mark.parametrize("samples", [0, 1, 159])
def test_less_than_a_frame_is_silence(samples: int) -> None:
    target = recognizer()
    heard = target.recognize([np.zeros(samples, np.float32)])[0]
    assert (heard.text, heard.tokens, heard.duration_s) == ("", (), samples / 16_000)
    assert target.engine.encoded_frames == []
    assert last(np.zeros(samples, np.float32), []).text == ""


def test_short_recordings_take_one_pass() -> None:
    audio = speech(3.9)
    assert last(audio, []) == recognizer().recognize([audio])[0]


@settings(max_examples=20, deadline=None)
@given(
    seconds=st.floats(4.5, 20.0), seed=st.integers(0, 9), blocks=st.lists(st.integers(1, 50_000), max_size=6)
)
def test_long_recordings_lose_and_double_nothing(seconds: float, seed: int, blocks: list[int]) -> None:
    """With an engine whose steps depend on their own audio only, pieces must equal one pass."""
    audio = speech(seconds, seed)
    whole = recognizer().recognize([audio])[0]
    pieces = last(audio, [b for b in blocks if b < len(audio)])
    assert [(t.id, t.start_step) for t in pieces.tokens] == [(t.id, t.start_step) for t in whole.tokens]
    assert pieces.duration_s == whole.duration_s


def test_memory_is_bounded_by_the_windows() -> None:
    target = recognizer()
    blocks = (speech(1.28, i) for i in range(100))
    done_s: list[float] = []
    recognize_stream(target, blocks, SMALL, done_s.append)
    assert max(max(frames) for frames in target.engine.encoded_frames) <= (3.0 + 2 * 0.8 + 0.1) * 100
    assert done_s == sorted(done_s)
    assert len(done_s) > 100 * 1.28 / 3.0


def test_words_do_not_overlap_across_seams() -> None:
    words = last(speech(18.0, 3), []).words
    assert all(a.end_s <= b.start_s + 1e-9 for a, b in itertools.pairwise(words))


def test_a_word_ends_with_its_audio_whatever_its_duration_says() -> None:
    heard = Recognizer(ScriptedEngine(), PieceTokenizer()).transcription((Token(1, 2, 4, 1.0),), 6400)
    assert (heard.words[0].start_s, heard.words[0].end_s) == pytest.approx((0.16, 0.40))
