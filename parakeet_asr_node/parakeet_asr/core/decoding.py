"""Greedy transducer decoding: TDT and RNNT, batched, with state that can be carried on.

The algorithm is label looping (Bataev et al., "Label-Looping", arXiv 2406.06220) as NeMo's
``greedy_batch`` runs it. The twist is a window: one engine call joins a predictor state with several
encoder steps, and the walk over blanks happens here on the host, because blanks leave the state as
it is. So there is about one engine call per emitted token.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import compress

import numpy as np

from parakeet_asr.core.engine import EncoderOutput, Engine, PredictorState
from parakeet_asr.core.model_spec import DecoderSpec
from parakeet_asr.core.phrase_match import PhraseAutomaton, PhraseMatch
from parakeet_asr.records import FloatArray, Token


@dataclass(frozen=True, slots=True)
class DecoderState:
    """Where one stream's decoder stands between two pieces of audio."""

    last_token: int  # the blank id at the start of a sequence
    predictor: PredictorState  # batch 1, before last_token
    time_jump_steps: int = 0  # steps of the next piece that a duration already skipped
    step: int = 0  # absolute step at which the next piece begins
    match: PhraseMatch | None = None  # how far the tokens match a phrase; None: none was looked for


@dataclass(frozen=True, slots=True)
class Decoded:
    """What one stream's decoder made of a piece of audio."""

    tokens: tuple[Token, ...]
    state: DecoderState


def initial_state(spec: DecoderSpec) -> DecoderState:
    """The state at the start of a sequence: no token yet, LSTM at zero."""
    shape = (spec.predictor_layers, 1, spec.predictor_hidden)
    zeros = np.zeros(shape, np.float32)
    return DecoderState(spec.blank_id, PredictorState(zeros, zeros))


def max_probability_confidence(logits: FloatArray, token: int) -> float:
    """NeMo's ``max_prob`` measure, ``(p n - 1) / (n - 1)``: 0 for a uniform guess, 1 for certainty.

    Args:
        logits: [n] raw scores of pieces and blank.
        token: the index that won.
    """
    classes = len(logits)
    p = 1.0 / float(np.exp(logits - logits[token]).sum())
    return min(1.0, max(0.0, (p * classes - 1.0) / (classes - 1.0)))


def default_window_steps(batch: int) -> int:
    """Encoder steps joined per engine call.

    A token comes every 3 to 4 steps of speech. One stream pays per call, so it looks further ahead;
    a batch pays per step, so it looks just past the next token.
    """
    return 8 if batch == 1 else 4


class GreedyDecoder:
    """Decodes encoder steps with an engine; stateless itself, every state is passed in and out."""

    def __init__(self, engine: Engine, window_steps: int | None = None) -> None:
        """Use ``engine`` and join ``window_steps`` at once (None: by batch size)."""
        self.phrases: PhraseAutomaton | None = None  # may be replaced at any time: the next call takes it
        self._engine = engine
        self._spec = engine.spec.decoder
        self._window_steps = window_steps
        self._durations = np.array(self._spec.durations or (0,), np.int64)

    def decode(self, encoded: EncoderOutput, states: Sequence[DecoderState] | None = None) -> list[Decoded]:
        """Decode a batch, each stream going on from its state.

        Args:
            encoded: a batch of encoder steps.
            states: one per stream; None starts every stream afresh.

        Returns:
            Tokens (their ``start_step`` counted from the stream's very beginning) and new states.

        Raises:
            EngineError: the engine failed.
        """
        lengths = encoded.lengths.tolist()
        begun = list(states) if states is not None else [initial_state(self._spec)] * len(lengths)
        phrases = self.phrases
        streams = [_Stream(i, state, lengths[i], phrases) for i, state in enumerate(begun)]
        self._run(encoded.projected, [s for s in streams if s.time < s.length], begun)
        return [stream.result() for stream in streams]

    def _run(self, projected: FloatArray, active: list[_Stream], begun: list[DecoderState]) -> None:
        if not active:
            return
        window = self._window_steps or default_window_steps(len(active))
        projected = np.pad(projected, ((0, 0), (0, window), (0, 0)))
        hidden = np.concatenate([begun[s.row].predictor.hidden for s in active], axis=1)
        cell = np.concatenate([begun[s.row].predictor.cell for s in active], axis=1)
        while active:
            tokens = np.array([s.token for s in active], np.int64)
            steps = _windows(projected, active, window)
            output = self._engine.step(steps, tokens, PredictorState(hidden, cell))
            emitted = self._advance(active, output.logits)
            hidden = _keep(hidden, output.state.hidden, emitted)
            cell = _keep(cell, output.state.cell, emitted)
            if any(s.time >= s.length for s in active):
                going = [s.time < s.length for s in active]
                for column, (stream, goes) in enumerate(zip(active, going, strict=True)):
                    if not goes:
                        stream.park(hidden, cell, column)
                active = list(compress(active, going))
                hidden, cell = hidden[:, going], cell[:, going]

    def _advance(self, active: list[_Stream], logits: FloatArray) -> list[bool]:
        """Walk every stream over its window up to its next token; returns who emitted one."""
        classes = self._spec.vocabulary_size + 1
        best = logits[:, :, :classes].argmax(axis=2)
        # An RNNT has no durations: a token stays, a blank moves by one.
        chosen = logits[:, :, classes:].argmax(axis=2) if self._spec.durations else np.zeros_like(best)
        jumps = self._durations[chosen].tolist()
        emitted = [False] * len(active)
        for i, (stream, winners, steps) in enumerate(zip(active, best.tolist(), jumps, strict=True)):
            if stream.match is not None:
                stream.match.resist_blank(logits[i], winners)
            found = stream.walk(winners, steps, self._spec.blank_id)
            if found is not None:
                token = winners[found] if stream.match is None else stream.match.choose(logits[i, found])
                confidence = max_probability_confidence(logits[i, found, :classes], token)
                stream.emit(token, steps[found], confidence, self._spec.max_symbols_per_step)
                emitted[i] = True
        return emitted


def _windows(projected: FloatArray, active: list[_Stream], window: int) -> FloatArray:
    """The next ``window`` steps of every stream; a view when there is one stream."""
    if len(active) == 1:
        (stream,) = active
        steps: FloatArray = projected[stream.row : stream.row + 1, stream.time : stream.time + window]
    else:
        rows = np.array([[s.row] for s in active])
        times = np.array([[s.time] for s in active])
        steps = projected[rows, times + np.arange(window)]
    return steps


def _keep(old: FloatArray, new: FloatArray, emitted: list[bool]) -> FloatArray:
    """Take the new state where a token was emitted; blanks leave the state alone."""
    kept: FloatArray = new.copy()  # the engine may reuse its buffer
    if not all(emitted):
        blank = np.logical_not(emitted)
        kept[:, blank] = old[:, blank]
    return kept


class _Stream:
    """The host's side of one stream: where it stands and what it wrote."""

    __slots__ = ("_begun", "_predictor", "_symbols", "_tokens", "length", "match", "row", "time", "token")

    def __init__(self, row: int, begun: DecoderState, length: int, phrases: PhraseAutomaton | None) -> None:
        self.row = row
        self.time = begun.time_jump_steps
        self.length = length
        self.token = begun.last_token
        self.match = phrases.resume(begun.match) if phrases is not None else None
        self._begun = begun
        self._predictor = begun.predictor
        self._symbols = 0  # emitted at this very step
        self._tokens: list[Token] = []

    def walk(self, winners: list[int], jumps: list[int], blank: int) -> int | None:
        """Skip blanks; the offset in the window of the first token, or None when there is none."""
        window, offset = min(len(winners), self.length - self.time), 0
        while offset < window:
            if winners[offset] != blank:
                self._move(offset)
                return offset
            offset += jumps[offset] or 1
        self._move(offset)
        return None

    def emit(self, token: int, duration_steps: int, confidence: float, max_symbols: int) -> None:
        """Write a token here and move on by its duration."""
        self._tokens.append(Token(token, self._begun.step + self.time, duration_steps, confidence))
        self.token = token
        if self.match is not None:
            self.match = self.match.after(token)
        self._symbols += 1
        if duration_steps:
            self._move(duration_steps)
        elif self._symbols >= max_symbols:
            self._move(1)

    def park(self, hidden: FloatArray, cell: FloatArray, column: int) -> None:
        """Keep the predictor state with which this stream ended."""
        self._predictor = PredictorState(hidden[:, column : column + 1], cell[:, column : column + 1])

    def result(self) -> Decoded:
        """What was written, and the state from which the next piece goes on."""
        jump, step = self.time - self.length, self._begun.step + self.length
        return Decoded(tuple(self._tokens), DecoderState(self.token, self._predictor, jump, step, self.match))

    def _move(self, steps: int) -> None:
        if steps:
            self.time += steps
            self._symbols = 0
