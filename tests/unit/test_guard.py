"""The blank guard, with the fault provoked at the seam: a decoder that has learnt to write blanks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fakes import BLANK, PIECES, LoudnessDetector, PieceTokenizer, ScriptedEngine, quiet, tone
from parakeet_asr.core.engine import PredictorState, StepOutput
from parakeet_asr.core.guard import BlankGuard, GuardOptions, Hole, holes, whole_words_inside
from parakeet_asr.core.longform import LongformOptions, recognize_stream
from parakeet_asr.core.recognizer import Recognizer
from parakeet_asr.errors import ConfigurationError
from parakeet_asr.records import FloatArray, IntArray, Token, Transcription

STEP = 1280


class BlankTrapEngine(ScriptedEngine):
    """Writes ``patience`` tokens and then nothing but blanks, until its state is reset."""

    def __init__(self, patience: int) -> None:
        super().__init__()
        self.patience = patience

    def step(self, projected: FloatArray, tokens: IntArray, state: PredictorState) -> StepOutput:
        output = super().step(projected, tokens, state)
        trapped = output.state.hidden[0, :, 0] >= self.patience
        output.logits[trapped, :, BLANK] = 99.0
        return output


class NeverAlone(ScriptedEngine):
    """Writes nothing at all, whatever it hears: a second pass brings nothing either."""

    def step(self, projected: FloatArray, tokens: IntArray, state: PredictorState) -> StepOutput:
        output = super().step(projected, tokens, state)
        output.logits[:, :, BLANK] = 99.0
        return output


def recognizer(engine: ScriptedEngine, options: GuardOptions | None = None) -> Recognizer:
    return Recognizer(engine, PieceTokenizer(), guard=BlankGuard(LoudnessDetector, options))


def heard(engine: ScriptedEngine, audio: FloatArray) -> tuple[Transcription, BlankGuard]:
    target = recognizer(engine)
    assert target.guard is not None
    return target.recognize([audio])[0], target.guard


SENTENCE = np.concatenate([tone(1.0), quiet(0.4), tone(1.6, 0.1), quiet(0.3)])


def test_a_hole_is_filled_with_what_the_stretch_alone_gives() -> None:
    plain = Recognizer(ScriptedEngine(), PieceTokenizer()).recognize([SENTENCE])[0]
    first_part = sum(t.start_step * 0.08 < 1.1 for t in plain.tokens)
    trapped = Recognizer(BlankTrapEngine(first_part), PieceTokenizer()).recognize([SENTENCE])[0]
    assert len(trapped.tokens) == first_part < len(plain.tokens)
    guarded, guard = heard(BlankTrapEngine(first_part), SENTENCE)
    assert guarded.recovered
    assert (guard.suspicious, guard.filled) == (1, 1)
    assert guarded.tokens[:first_part] == plain.tokens[:first_part]
    starts = [t.start_step for t in guarded.tokens]
    assert starts == sorted(starts)
    assert starts[first_part] * 0.08 == pytest.approx(1.4, abs=0.1)
    assert all(1.3 < s * 0.08 < 3.1 for s in starts[first_part:])


def test_an_utterance_that_came_out_empty_is_decoded_again() -> None:
    class DeafToTheFirst(ScriptedEngine):
        """Blank for the whole utterance, not for the stretch alone."""

        def step(self, projected: FloatArray, tokens: IntArray, state: PredictorState) -> StepOutput:
            output = super().step(projected, tokens, state)
            if len(self.encoded_frames) == 1:
                output.logits[:, :, BLANK] = 99.0
            return output

    result, guard = heard(DeafToTheFirst(), np.concatenate([quiet(0.5), tone(0.6), quiet(0.5)]))
    assert result.recovered
    assert result.text
    assert result.words[0].start_s == pytest.approx(0.5, abs=0.1)
    assert guard.filled == 1


def test_nothing_comes_out_of_noise_and_nothing_is_claimed() -> None:
    result, guard = heard(
        ScriptedEngine(), (0.001 * np.random.default_rng(0).standard_normal(48_000)).astype(np.float32)
    )
    assert not result.recovered
    assert (result.text, guard.suspicious) == ("", 0)


def test_a_second_pass_that_brings_nothing_is_no_recovery() -> None:
    result, guard = heard(NeverAlone(), SENTENCE)
    assert (result.text, result.recovered) == ("", False)
    assert (guard.suspicious, guard.filled) == (1, 0)


def test_a_result_without_confidence_is_thrown_away() -> None:
    target = recognizer(BlankTrapEngine(4), GuardOptions(min_confidence=1.1))
    assert not target.recognize([SENTENCE])[0].recovered


@pytest.mark.parametrize("bad", [{"hole_s": 0.0}, {"min_speech_s": -1.0}, {"margins_s": ()}])
def test_options_that_cannot_work_are_refused_by_name(bad: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match=f"guard.{next(iter(bad))}: expected"):
        GuardOptions(**bad)


def test_options_decide_what_is_a_hole() -> None:
    """The second half of the sentence speaks for 1.6 s, and nothing is written for 2.3 s."""
    plain = Recognizer(ScriptedEngine(), PieceTokenizer()).recognize([SENTENCE])[0]
    engine = BlankTrapEngine(sum(t.start_step * 0.08 < 1.1 for t in plain.tokens))
    assert recognizer(engine, GuardOptions(min_speech_s=1.0)).recognize([SENTENCE])[0].recovered
    assert not recognizer(engine, GuardOptions(min_speech_s=1.8)).recognize([SENTENCE])[0].recovered
    assert not recognizer(engine, GuardOptions(hole_s=3.0)).recognize([SENTENCE])[0].recovered


def test_complete_utterances_cost_nothing() -> None:
    engine = ScriptedEngine()
    result, guard = heard(engine, SENTENCE)
    assert not result.recovered
    assert guard.suspicious == 0
    assert len(engine.encoded_frames) == 1


def test_long_recordings_are_guarded_piece_by_piece() -> None:
    audio = np.concatenate([SENTENCE] * 5)
    sizes = LongformOptions(single_pass_s=4.0, piece_s=3.5, search_s=1.0, context_s=0.8)
    result = recognize_stream(recognizer(BlankTrapEngine(6)), [audio], sizes)
    plain = recognize_stream(Recognizer(BlankTrapEngine(6), PieceTokenizer()), [audio], sizes)
    assert result.recovered
    assert not plain.recovered
    assert len(plain.tokens) == 6
    last_s = result.tokens[-1].start_step * 0.08
    assert last_s > 10.0
    assert [t.start_step for t in result.tokens] == sorted(t.start_step for t in result.tokens)


def token(start: int, duration: int = 1, identity: int = 1) -> Token:
    return Token(identity, start, duration, 1.0)


def test_holes_lie_before_between_and_behind() -> None:
    tokens = [token(20, 2), token(22, 4), token(60, 1)]
    assert list(holes(tokens, 0, 100 * STEP, STEP, 1.0, PIECES)) == [
        Hole(0, 20 * STEP),
        Hole(26 * STEP, 60 * STEP),
        Hole(61 * STEP, 100 * STEP),
    ]
    assert next(iter(holes(tokens, 10, 70 * STEP, STEP, 1.0, PIECES))) == Hole(16 * STEP, 50 * STEP)
    assert list(holes([], 0, 1000, STEP, 1.0, PIECES)) == [Hole(0, 1000)]
    assert list(holes([token(0, 4), token(4, 4)], 0, 8 * STEP, STEP, 1.0, PIECES)) == []


def test_a_drawn_out_word_is_no_hole() -> None:
    drawn_out = [token(0), token(20, 1, PIECES.index("ty")), token(22)]
    assert list(holes(drawn_out, 0, 24 * STEP, STEP, 1.0, PIECES)) == []


def test_only_whole_words_are_believed() -> None:
    one, ty = PIECES.index("\u2581one"), PIECES.index("ty")
    tokens = [
        token(0, 1, one),
        token(4, 1, ty),
        token(6, 1, one),
        token(8, 1, ty),
        token(12, 1, one),
        token(15, 1, ty),
    ]
    assert [t.start_step for t in whole_words_inside(tokens, 2, 14, PIECES)] == [6, 8]
    assert [t.start_step for t in whole_words_inside(tokens, 0, 99, PIECES)] == [0, 4, 6, 8, 12, 15]
    assert whole_words_inside(tokens, 4, 5, PIECES) == []
