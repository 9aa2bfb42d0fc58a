"""Buffered streaming: windows, commits and drafts, against the loop as the reference writes it down."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fakes import PieceTokenizer, ScriptedEngine, quiet, tone
from parakeet_asr.core.buffered import BufferedStream, WindowOptions
from parakeet_asr.core.recognizer import Recognizer
from parakeet_asr.errors import ConfigurationError
from parakeet_asr.records import FloatArray, Token

STEP = 1280


def speech(seconds: float, seed: int = 0) -> FloatArray:
    rng = np.random.default_rng(seed)
    parts = [
        np.concatenate([tone(0.3, float(rng.uniform(0.05, 0.9))), quiet(0.2)])
        for _ in range(int(seconds / 0.5) + 1)
    ]
    return np.concatenate(parts)[: round(seconds * 16_000)]


def stream(audio: FloatArray, options: WindowOptions) -> tuple[BufferedStream, ScriptedEngine]:
    engine = ScriptedEngine()
    return BufferedStream(Recognizer(engine, PieceTokenizer()), lambda a, b: audio[a:b], options), engine


def reference_windows(samples: int, left: int, chunk: int, right: int) -> list[tuple[int, int, int]]:
    """(start, committed from, stop) of every window, as NeMo's script walks over a file of known length."""
    windows = []
    done, seen = 0, min(chunk + right, samples)
    while done < samples:
        windows.append((max(0, done - left), done, seen))
        done = done + chunk if seen < samples else samples
        seen = min(seen + chunk, samples)
    return windows


@settings(max_examples=40, deadline=None)
@given(
    seconds=st.floats(0.02, 9.0),
    sizes=st.tuples(st.integers(0, 30), st.integers(1, 12), st.integers(0, 12)),
    arrivals=st.lists(st.integers(1, 40_000), max_size=12),
)
def test_windows_are_those_of_the_reference_whatever_the_arrivals(
    seconds: float, sizes: tuple[int, int, int], arrivals: list[int]
) -> None:
    audio = speech(seconds)
    left, chunk, right = (n * STEP for n in sizes)
    target, engine = stream(audio, WindowOptions(*(n * 0.08 for n in sizes)))
    for available in np.cumsum(arrivals):
        if available < len(audio):
            target.advance(int(available))
    target.flush(len(audio))
    expected = [(stop - start) // 160 for start, _, stop in reference_windows(len(audio), left, chunk, right)]
    assert engine.encoded_frames == [[frames] for frames in expected if frames]
    if left and right:  # without context the frames at the edges of a window are others
        whole = Recognizer(ScriptedEngine(), PieceTokenizer()).recognize([audio])[0]
        assert emitted(target.committed, len(audio)) == emitted(whole.tokens, len(audio))


def emitted(tokens: tuple[Token, ...], samples: int) -> list[tuple[int, int]]:
    """Tokens without those of the last step, which may be a partial one."""
    return [(t.id, t.start_step) for t in tokens if t.start_step * STEP < samples - STEP]


def test_drafts_show_everything_and_change_nothing() -> None:
    audio = speech(6.0)
    options = WindowOptions(4.0, 1.0, 1.0)
    plain, _ = stream(audio, options)
    drafted, _ = stream(audio, options)
    shown = []
    for available in range(1600, len(audio), 1600):
        plain.advance(available)
        drafted.advance(available)
        before = drafted.committed
        shown.append(before + drafted.draft(available))
        assert drafted.committed == before == plain.committed
        assert drafted.committed_samples <= available
    plain.flush(len(audio))
    drafted.flush(len(audio))
    assert plain.committed == drafted.committed
    first = next(i for i, tokens in enumerate(shown) if tokens)
    assert first < 3, "the first word must be drafted long before chunk + right"


def test_commits_only_grow() -> None:
    audio = speech(8.0)
    target, _ = stream(audio, WindowOptions(2.0, 0.8, 0.4))
    before = target.committed
    for available in range(800, len(audio), 800):
        target.advance(available)
        assert target.committed[: len(before)] == before
        before = target.committed


@pytest.mark.parametrize(
    "bad", [WindowOptions(chunk_s=0.05), WindowOptions(left_s=-1.0), WindowOptions(right_s=-0.1)]
)
def test_impossible_windows_are_refused(bad: WindowOptions) -> None:
    with pytest.raises(ConfigurationError, match="chunk_s of 0.08 s or more"):
        stream(quiet(1.0), bad)
