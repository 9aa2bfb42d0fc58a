"""Phrases: the automaton against its definition in words, the decoder with it, the texts."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes import BLANK, DURATIONS, PIECES, ScriptedEngine
from parakeet_asr.core.decoding import GreedyDecoder, initial_state
from parakeet_asr.core.engine import EncoderOutput, PredictorState, StepOutput
from parakeet_asr.core.phrase_match import PhraseAutomaton, PhraseMatch
from parakeet_asr.core.phrases import (
    Phrase,
    cased_variants,
    compile_phrases,
    parse_phrases,
    weigh,
)
from parakeet_asr.core.recognizer import Recognizer
from parakeet_asr.errors import ConfigurationError
from parakeet_asr.records import FloatArray, IntArray

LETTERS = 3  # few, so that phrases overlap, contain and end one another
tokens = st.integers(0, LETTERS - 1)
weighted_phrases = st.lists(
    st.lists(st.tuples(tokens, st.sampled_from([0.0, 0.5, 1.0, 2.0])), min_size=1, max_size=5), max_size=5
)
texts = st.lists(tokens, max_size=16)


# --- the automaton -------------------------------------------------------------------------------------


class Definition:
    """The sum of scores after a sequence of tokens, by searching strings; no links, no states."""

    def __init__(self, phrases: list[list[tuple[int, float]]]) -> None:
        self.weight: dict[tuple[int, ...], float] = {}
        for phrase in phrases:
            for i, (_, weight) in enumerate(phrase):
                prefix = tuple(token for token, _ in phrase[: i + 1])
                self.weight[prefix] = max(weight, self.weight.get(prefix, 0.0))
        self.phrases = {tuple(token for token, _ in phrase) for phrase in phrases}

    def match(self, text: tuple[int, ...]) -> tuple[int, ...]:
        """The longest end of the text that begins a phrase."""
        return next((text[i:] for i in range(len(text)) if text[i:] in self.weight), ())

    def collected(self, prefix: tuple[int, ...]) -> float:
        return sum(self.weight[prefix[: i + 1]] for i in range(len(prefix)))

    def at_risk(self, prefix: tuple[int, ...]) -> float:
        parts = (prefix[i:j] for i in range(len(prefix)) for j in range(i + 1, len(prefix) + 1))
        secured = max((self.collected(part) for part in parts if part in self.phrases), default=0.0)
        return self.collected(prefix) - min(self.collected(prefix), secured)

    def score(self, text: tuple[int, ...], token: int) -> float:
        """What ``token`` adds behind ``text``."""
        before, after = self.match(text), self.match((*text, token))
        kept = after[:-1]  # the end of ``before`` that goes on
        return self.at_risk(kept) - self.at_risk(before) + self.weight.get(after, 0.0)


def added(automaton: PhraseAutomaton, text: list[int]) -> tuple[float, PhraseMatch]:
    """Everything that was added for a text, and the match at its end."""
    match, total = automaton.start, 0.0
    for token in text:
        total += float(match.scores()[token])
        match = match.after(token)
    return total, match


@given(phrases=weighted_phrases, text=texts)
def test_every_score_of_every_state_follows_the_definition(
    phrases: list[list[tuple[int, float]]], text: list[int]
) -> None:
    definition, match = Definition(phrases), PhraseAutomaton(phrases, LETTERS).start
    for i, token in enumerate(text):
        expected = [definition.score(tuple(text[:i]), other) for other in range(LETTERS)]
        assert match.scores().tolist() == pytest.approx(expected)
        match = match.after(token)
        assert match.depth == len(definition.match(tuple(text[: i + 1])))


@given(phrases=weighted_phrases, text=texts)
def test_a_match_that_breaks_leaves_nothing_behind(
    phrases: list[list[tuple[int, float]]], text: list[int]
) -> None:
    automaton = PhraseAutomaton(phrases, LETTERS)
    total, match = added(automaton, text)
    written = "".join(map(str, text))
    if not any("".join(str(token) for token, _ in phrase) in written for phrase in phrases):
        assert total == pytest.approx(match.at_risk)


@given(phrases=weighted_phrases, text=texts)
def test_what_complete_phrases_brought_is_never_taken_back(
    phrases: list[list[tuple[int, float]]], text: list[int]
) -> None:
    automaton = PhraseAutomaton(phrases, LETTERS)
    secured = 0.0
    for end in range(len(text) + 1):
        total, match = added(automaton, text[:end])
        assert total - match.at_risk >= secured - 1e-5
        secured = total - match.at_risk


def test_a_complete_phrase_keeps_its_score_and_a_broken_one_gives_it_back() -> None:
    automaton = PhraseAutomaton([[(0, 1.0), (1, 2.0), (2, 4.0)]], 5)
    assert [round(added(automaton, [0, 1, 2][:n])[0]) for n in (1, 2, 3)] == [1, 3, 7]
    assert added(automaton, [0, 1, 2, 4, 4])[0] == 7.0
    assert added(automaton, [0, 1, 4])[0] == 0.0
    assert added(automaton, [0, 1, 0, 1, 2])[0] == 7.0  # fell back to the beginning of itself


def test_a_phrase_inside_a_longer_one_that_breaks_keeps_its_score() -> None:
    automaton = PhraseAutomaton([[(0, 1.0), (1, 1.0), (2, 1.0)], [(1, 1.0)]], 5)
    assert added(automaton, [0, 1, 4])[0] == 1.0


@given(phrases=weighted_phrases, text=texts, seed=st.integers(0, 9))
def test_the_choice_is_the_best_sum_of_logit_and_score(
    phrases: list[list[tuple[int, float]]], text: list[int], seed: int
) -> None:
    _, match = added(PhraseAutomaton(phrases, LETTERS), text)
    logits = np.random.default_rng(seed).normal(size=LETTERS + 1).astype(np.float32)
    assert match.choose(logits) == int((logits[:LETTERS] + match.scores()).argmax())


# --- the decoder ---------------------------------------------------------------------------------------


class NoisyEngine(ScriptedEngine):
    """The scripted engine with other tokens, and blank, close behind the one that is wished for."""

    def step(self, projected: FloatArray, tokens: IntArray, state: PredictorState) -> StepOutput:
        output = super().step(projected, tokens, state)
        wish = projected.astype(np.int64)
        noise = np.zeros_like(output.logits)
        for piece in range(BLANK + 1):
            noise[:, :, piece] = 8.0 * np.sin(1.7 * piece + 2.3 * wish[:, :, 0] + 0.9 * wish[:, :, 1])
        return replace(output, logits=output.logits + noise)


wishes = st.tuples(st.integers(1, BLANK), st.integers(0, 4), st.integers(0, 1))
scripts = st.lists(st.lists(wishes, max_size=24), min_size=1, max_size=5)
decoder_phrases = st.lists(
    st.lists(st.tuples(st.integers(1, BLANK - 1), st.sampled_from([1.0, 4.0])), min_size=1, max_size=4),
    max_size=6,
)
anti_blanks = st.sampled_from([0.0, 3.0, 8.0])


def encoded(script: list[list[tuple[int, int, int]]]) -> EncoderOutput:
    longest = max(map(len, script))
    projected = np.full((len(script), longest, 3), 1.0, np.float32)
    for row, steps in enumerate(script):
        projected[row, : len(steps)] = np.array(steps, np.float32).reshape(-1, 3)
    return EncoderOutput(projected, np.array([len(s) for s in script], np.int64))


def plain_decode(
    script: list[tuple[int, int, int]], kind: str, definition: Definition, anti_blank: float
) -> list[tuple[int, int, int]]:
    """The loop of the literature, one step at a time, with the scores of the definition."""
    engine, out, written = NoisyEngine(kind), [], ()
    state, last = initial_state(engine.spec.decoder).predictor, BLANK
    t = symbols = 0
    while t < len(script):
        output = engine.step(np.array([[script[t]]], np.float32), np.array([last]), state)
        logits = output.logits[0, 0]
        duration = DURATIONS[int(logits[BLANK + 1 :].argmax())] if kind == "tdt" else 0
        boosted = logits[:BLANK] + np.array([definition.score(written, k) for k in range(BLANK)], np.float32)
        token = int(boosted.argmax())
        if int(logits[: BLANK + 1].argmax()) == BLANK:
            match = definition.match(written)
            goes_on = bool(match) and (*match, token) in definition.weight
            if not (goes_on and logits[token] + anti_blank > logits[BLANK]):
                t += max(duration, 1)
                symbols = 0
                continue
        out.append((token, t, duration))
        written, last, state = (*written, token), token, output.state
        symbols += 1
        if duration or symbols == engine.spec.decoder.max_symbols_per_step:
            t += duration or 1
            symbols = 0
    return out


def decoder_with(
    phrases: list[list[tuple[int, float]]], kind: str, anti_blank: float, **options: int
) -> GreedyDecoder:
    decoder = GreedyDecoder(NoisyEngine(kind), **options)
    decoder.phrases = PhraseAutomaton(phrases, BLANK, anti_blank)
    return decoder


def flat(tokens: object) -> list[tuple[int, int, int]]:
    return [(t.id, t.start_step, t.duration_steps) for t in tokens]  # type: ignore[attr-defined]


@pytest.mark.parametrize("kind", ["tdt", "rnnt"])
@given(script=scripts, phrases=decoder_phrases, anti_blank=anti_blanks, window=st.integers(1, 9))
def test_batch_and_window_change_nothing(
    kind: str,
    script: list[list[tuple[int, int, int]]],
    phrases: list[list[tuple[int, float]]],
    anti_blank: float,
    window: int,
) -> None:
    decoded = decoder_with(phrases, kind, anti_blank, window_steps=window).decode(encoded(script))
    definition = Definition(phrases)
    assert [flat(d.tokens) for d in decoded] == [
        plain_decode(s, kind, definition, anti_blank) for s in script
    ]


@pytest.mark.parametrize("kind", ["tdt", "rnnt"])
@given(
    script=st.lists(wishes, max_size=40),
    phrases=decoder_phrases,
    anti_blank=anti_blanks,
    cuts=st.lists(st.integers(0, 40), max_size=5),
)
def test_carried_match_equals_one_pass(
    kind: str,
    script: list[tuple[int, int, int]],
    phrases: list[list[tuple[int, float]]],
    anti_blank: float,
    cuts: list[int],
) -> None:
    decoder = decoder_with(phrases, kind, anti_blank)
    (whole,) = decoder.decode(encoded([script]))
    state = initial_state(decoder._spec)
    heard = []
    bounds = [0, *sorted(min(c, len(script)) for c in cuts), len(script)]
    for begin, end in itertools.pairwise(bounds):
        (decoded,) = decoder.decode(encoded([script[begin:end]]), [state])
        decoder.decode(encoded([script[end:]]), [state])  # a draft from the same state moves nothing
        state = decoded.state
        heard += flat(decoded.tokens)
    assert heard == flat(whole.tokens)
    assert state.match is whole.state.match


@pytest.mark.parametrize("kind", ["tdt", "rnnt"])
@given(script=scripts)
def test_without_phrases_or_score_nothing_changes(
    kind: str, script: list[list[tuple[int, int, int]]]
) -> None:
    plain = GreedyDecoder(NoisyEngine(kind)).decode(encoded(script))
    assert all(d.state.match is None for d in plain)
    for phrases in ([], [[(1, 0.0), (2, 0.0)]]):
        assert [d.tokens for d in decoder_with(phrases, kind, 0.0).decode(encoded(script))] == [
            d.tokens for d in plain
        ]


def test_other_phrases_begin_anew_in_a_carried_state() -> None:
    decoder = decoder_with([[(1, 1.0), (2, 1.0)]], "tdt", 0.0)
    (decoded,) = decoder.decode(encoded([[(1, 1, 0)] * 3]))
    other = PhraseAutomaton([[(1, 1.0), (2, 1.0), (3, 1.0)]], BLANK)
    assert other.resume(decoded.state.match) is other.start
    decoder.phrases = other
    (after,) = decoder.decode(encoded([[]]), [decoded.state])
    assert after.state.match is other.start
    decoder.phrases = None
    (last,) = decoder.decode(encoded([[(2, 1, 0)]]), [decoded.state])
    assert last.state.match is None


def test_in_silence_only_the_rest_of_a_phrase_can_come() -> None:
    """However large the bonus: a phrase that holds itself ends, and a first token needs the model."""
    decoder = decoder_with([[(1, 1.0)] * 4], "rnnt", 1e9)
    decoder._engine = ScriptedEngine("rnnt")
    silence = [(BLANK, 1, 0)] * 50
    assert decoder.decode(encoded([silence]))[0].tokens == ()
    (decoded,) = decoder.decode(encoded([[(2, 0, 0), *silence]]))
    assert not any(t.id == 1 for t in decoded.tokens)
    decoder.phrases = PhraseAutomaton([[(1, 1.0), (2, 1.0), (3, 1.0), (4, 1.0)]], BLANK, 1e9)
    (decoded,) = decoder.decode(encoded([[*silence, (1, 0, 0), *silence]]))
    assert [t.id for t in decoded.tokens].count(4) == 1
    assert len(decoded.tokens) <= 3 + 3  # of the speech, then the rest of the phrase


# --- the texts -----------------------------------------------------------------------------------------


class CharacterTokenizer:
    """A piece per letter, one for a boundary alone and one for every boundary with a letter but z."""

    pieces = ("<unk>", "\u2581", *"abcdefghijklmnopqrstuvwxyzABCT'", *(f"\u2581{c}" for c in "abcdefgrtABCT"))

    def encode(self, text: str) -> list[int]:
        """Longest piece first; unknown characters are <unk>."""
        ids = []
        for word in text.split():
            rest = "\u2581" + word
            while rest:
                piece = rest[:2] if rest[:2] in self.pieces else rest[:1]
                ids.append(self.pieces.index(piece) if piece in self.pieces else 0)
                rest = rest[len(piece) :]
        return ids


def test_cased_variants() -> None:
    assert cased_variants("Ada  McLove") == {"Ada McLove", "ada mclove", "Ada mclove", "Ada Mclove"}
    assert cased_variants("NASA") == {"NASA", "nasa", "Nasa"}
    assert cased_variants("turn left") == {"turn left", "Turn left", "Turn Left"}


def test_a_phrase_matches_in_any_case_from_the_start_of_a_word() -> None:
    tokenizer = CharacterTokenizer()
    automaton = compile_phrases(["tab"], tokenizer, 9.0).automaton
    assert automaton is not None
    for text in ("tab", "Tab"):
        assert added(automaton, tokenizer.encode(text))[0] == 3.0  # one of RAMP_CHARACTERS
    assert added(automaton, tokenizer.encode("atab"))[0] == 0.0


def test_weights_depend_on_characters_and_not_on_how_they_are_cut() -> None:
    pieces = ("\u2581", "E", "l", "iza", "\u2581Eliza", "\u2581Lo", "ve")
    fine, coarse = weigh([0, 1, 2, 3, 5, 6], pieces, 9.0), weigh([4, 5, 6], pieces, 9.0)
    assert fine == [(0, 0.0), (1, 0.0), (2, 0.0), (3, 9.0), (5, 0.0), (6, 0.0)]
    assert coarse == [(4, 9.0), (5, 0.0), (6, 0.0)]
    assert weigh([2, 2, 2, 2], pieces, 9.0) == [(2, 0.0), (2, 0.0), (2, 3.0), (2, 3.0)]


def test_phrases_that_cannot_be_written_are_named_and_hurt_no_other() -> None:
    compiled = compile_phrases(["", "...", "caf\u00e9", "tab"], CharacterTokenizer())
    assert compiled.automaton is not None
    assert [(s.text, s.reason) for s in compiled.skipped] == [
        ("", "it has no letter or digit"),
        ("...", "it has no letter or digit"),
        ("caf\u00e9", "the model cannot write '\u00e9'"),
    ]
    assert compile_phrases(["\u00e9"], CharacterTokenizer()).automaton is None


def test_a_variant_that_can_be_written_is_enough() -> None:
    compiled = compile_phrases(["Zeta"], CharacterTokenizer())  # no capital Z
    assert not compiled.skipped
    assert compiled.automaton is not None


@pytest.mark.parametrize("score", [-1.0, float("nan"), float("inf")])
def test_scores_must_be_numbers_from_0_on(score: float) -> None:
    for call in (
        lambda: compile_phrases(["tab"], CharacterTokenizer(), score),
        lambda: compile_phrases(["tab"], CharacterTokenizer(), anti_blank=score),
        lambda: compile_phrases([Phrase("tab", score)], CharacterTokenizer()),
    ):
        with pytest.raises(ConfigurationError, match="from 0 on"):
            call()


def test_lists_of_phrases() -> None:
    lines = ["# robots\n", "\n", " Ada Lovelace \n", "Turtlebot\t2.5\n"]
    assert list(parse_phrases(lines)) == [Phrase("Ada Lovelace"), Phrase("Turtlebot", 2.5)]
    with pytest.raises(ConfigurationError, match=r"line 2: .*'loud'"):
        list(parse_phrases(["one\n", "two\tloud\n"]))


def test_a_recognizer_takes_phrases_while_it_lives() -> None:
    recognizer = Recognizer(ScriptedEngine(), WordTokenizer())
    assert recognizer.set_phrases(["five two", "??"])[0].text == "??"
    first = recognizer._decoder.phrases
    with pytest.raises(ConfigurationError):
        recognizer.set_phrases(["one"], score=-1.0)
    assert recognizer._decoder.phrases is first
    recognizer.set_phrases([])
    assert recognizer._decoder.phrases is None


class WordTokenizer:
    """PIECES; what is no word of them is <unk>."""

    pieces = PIECES

    def encode(self, text: str) -> list[int]:
        return [PIECES.index(p) if (p := "\u2581" + word) in PIECES else 0 for word in text.split()]
