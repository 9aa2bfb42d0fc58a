"""Greedy TDT and RNNT against the pseudo-code of the reference, spelled out one step at a time."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes import BLANK, DURATIONS, PIECES, ScriptedEngine
from parakeet_asr.core.decoding import GreedyDecoder, initial_state, max_probability_confidence
from parakeet_asr.core.engine import EncoderOutput

steps = st.tuples(st.integers(1, BLANK), st.integers(0, 4), st.integers(0, 1))
scripts = st.lists(st.lists(steps, max_size=24), min_size=1, max_size=5)


def encoded(script: list[list[tuple[int, int, int]]]) -> EncoderOutput:
    longest = max(map(len, script))
    projected = np.full((len(script), longest, 3), 1.0, np.float32)  # beyond the end: tokens, never blanks
    for row, wishes in enumerate(script):
        projected[row, : len(wishes)] = np.array(wishes, np.float32).reshape(-1, 3)
    return EncoderOutput(projected, np.array([len(s) for s in script], np.int64))


def plain_decode(
    script: list[tuple[int, int, int]], kind: str, max_symbols: int = 3
) -> list[tuple[int, int, int]]:
    """The loop as it is written down in the literature, without window, batch or state."""
    out: list[tuple[int, int, int]] = []
    t = symbols = 0
    while t < len(script):
        wish, duration_index, follows = script[t]
        token = BLANK if wish == BLANK else (wish + follows * len(out)) % len(PIECES)
        duration = DURATIONS[duration_index] if kind == "tdt" else 0
        if token == BLANK:
            t += max(duration, 1)
            symbols = 0
            continue
        out.append((token, t, duration))
        symbols += 1
        if duration:
            t += duration
            symbols = 0
        elif symbols == max_symbols:
            t += 1
            symbols = 0
    return out


def flat(tokens: object) -> list[tuple[int, int, int]]:
    return [(t.id, t.start_step, t.duration_steps) for t in tokens]  # type: ignore[attr-defined]


@pytest.mark.parametrize("kind", ["tdt", "rnnt"])
@given(script=scripts, window=st.integers(1, 9))
def test_batch_and_window_change_nothing(
    kind: str, script: list[list[tuple[int, int, int]]], window: int
) -> None:
    decoded = GreedyDecoder(ScriptedEngine(kind), window).decode(encoded(script))
    assert [flat(d.tokens) for d in decoded] == [plain_decode(s, kind) for s in script]


@pytest.mark.parametrize("kind", ["tdt", "rnnt"])
@given(script=st.lists(steps, max_size=40), cuts=st.lists(st.integers(0, 40), max_size=5))
def test_carried_state_equals_one_pass(
    kind: str, script: list[tuple[int, int, int]], cuts: list[int]
) -> None:
    decoder = GreedyDecoder(ScriptedEngine(kind))
    state = initial_state(decoder._spec)
    heard = []
    bounds = [0, *sorted(min(c, len(script)) for c in cuts), len(script)]
    for begin, end in itertools.pairwise(bounds):
        (decoded,) = decoder.decode(encoded([script[begin:end]]), [state])
        state = decoded.state
        heard += flat(decoded.tokens)
    assert heard == plain_decode(script, kind)
    assert state.step == len(script)


def test_blanks_cost_one_call_per_window() -> None:
    engine = ScriptedEngine()
    GreedyDecoder(engine, window_steps=8).decode(encoded([[(BLANK, 1, 0)] * 64]))
    assert engine.calls == 8


def test_confidence_is_0_for_a_guess_and_1_for_certainty() -> None:
    assert max_probability_confidence(np.zeros(257, np.float32), 3) == pytest.approx(0.0, abs=1e-6)
    certain = np.zeros(257, np.float32)
    certain[3] = 60.0
    assert max_probability_confidence(certain, 3) == pytest.approx(1.0)
    half = np.full(5, -80.0, np.float32)
    half[:2] = 0.0
    assert max_probability_confidence(half, 1) == pytest.approx((0.5 * 5 - 1) / 4)
