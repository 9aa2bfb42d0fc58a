"""Greedy TDT and RNNT decoding of a batch on the device, without a round trip to the host per token.

The algorithm is that of ``core.decoding``: label looping with a window. One turn feeds every stream's last
token to the predictor, joins the result with the stream's next few steps, walks over blanks up to the next
token and writes it down, all as operations on tensors of fixed shapes. So a turn, and several of them, can
be a CUDA graph; the host only asks after each of them whether anybody still goes on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from parakeet_asr.core.decoding import default_window_steps
from parakeet_asr.core.model_spec import DecoderSpec
from parakeet_asr.engines.pytorch.graphs import Graph
from parakeet_asr.engines.pytorch.model.transducer import Joint, Predictor, Transducer
from parakeet_asr.records import Token

TURNS_PER_GRAPH = 4
"""Turns between two questions whether all are done: a question costs as much as a fifth of a turn."""

_TOKENS_PER_ROUND = 1024  # a stream that wrote so many waits until they were fetched
_COLUMNS = 4  # of what is written: token, step, duration, probability


class CellPredictor(nn.Module):
    """The predictor for one token at a time: LSTM cells, each fused, instead of an LSTM over one step."""

    def __init__(self, predictor: Predictor) -> None:
        super().__init__()
        self._embedding = predictor.embedding
        # [input weights, state weights, input bias, state bias] of every layer
        self._layers: list[list[Tensor]] = [list(layer) for layer in predictor.lstm.all_weights]

    def forward(self, token: Tensor, hidden: Tensor, cell: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """See :class:`Predictor`."""
        output: Tensor = self._embedding(token)
        hiddens, cells = [], []
        for layer, weights in enumerate(self._layers):
            output, kept = torch.lstm_cell(output, (hidden[layer], cell[layer]), *weights)
            hiddens.append(output)
            cells.append(kept)
        return output, torch.stack(hiddens), torch.stack(cells)


@dataclass(frozen=True, slots=True)
class _State:
    """Where every stream stands; updated in place, because a graph reads and writes fixed addresses."""

    token: Tensor  # [batch] int64, last emitted
    hidden: Tensor  # [layers, batch, hidden] before that token
    cell: Tensor
    time: Tensor  # [batch] int64 steps
    length: Tensor  # [batch] int64 steps
    symbols: Tensor  # [batch] int64, emitted at this very step
    count: Tensor  # [batch] int64, written since the last fetch
    going: Tensor  # [] bool, whether any stream has something left


class LabelLooper:
    """Decodes batches of up to ``batch`` streams of up to ``steps`` encoder steps from fresh states."""

    def __init__(
        self,
        predictor: nn.Module,
        joint: Joint,
        spec: DecoderSpec,
        batch: int,
        steps: int,
        device: torch.device,
    ) -> None:
        """Allocate everything; on CUDA the second call records a graph."""
        self._predictor, self._joint, self._spec = predictor, joint, spec
        self.batch, self.steps = batch, steps
        self._window = default_window_steps(batch)
        durations = torch.tensor(spec.durations or (0,), device=device)
        self._durations = durations
        self._behind = int(durations.max()) + 1  # a jump may end so far behind the window

        def whole(*shape: int) -> Tensor:
            return torch.zeros(shape, dtype=torch.int64, device=device)

        def real(*shape: int) -> Tensor:
            return torch.zeros(shape, device=device)

        state = (spec.predictor_layers, batch, spec.predictor_hidden)
        self._state = _State(
            whole(batch), real(*state), real(*state), whole(batch), whole(batch), whole(batch), whole(batch),
            torch.zeros((), dtype=torch.bool, device=device),
        )  # fmt: skip
        self._projected = real(batch, steps + self._behind + self._window + 1, spec.joint_hidden)
        self._written = real(
            batch, _TOKENS_PER_ROUND + 1, _COLUMNS
        )  # the last column takes what is not wanted
        self._rows = torch.arange(batch, device=device)
        self._offsets = torch.arange(self._window, device=device)
        behind = torch.arange(self._window, self._window + self._behind, device=device)
        self._absorbing = behind.expand(batch, -1)
        self._graph: Graph | None = None
        self._used = False
        self._use_graph = device.type == "cuda"

    def decode(self, projected: Tensor, lengths: Tensor) -> list[tuple[Token, ...]]:
        """Decode.

        Args:
            projected: [n, steps, joint_hidden] with n and steps up to what was allocated.
            lengths: [n] int64 valid steps.

        Returns:
            The tokens of every stream.
        """
        state, count = self._state, projected.shape[0]
        self._projected[:count, : projected.shape[1]] = projected
        for zeroed in (state.hidden, state.cell, state.time, state.length, state.symbols, state.count):
            zeroed.zero_()
        state.token.fill_(self._spec.blank_id)
        state.length[:count] = lengths
        state.going.fill_(True)
        tokens: list[list[Token]] = [[] for _ in range(count)]
        while True:
            self._run_until_idle()
            unfinished = self._fetch(tokens)
            if not unfinished:
                return [tuple(stream) for stream in tokens]
            state.count.zero_()
            state.going.fill_(True)

    def _run_until_idle(self) -> None:
        if self._use_graph and self._graph is None and self._used:
            self._record()  # not at the first time: the first transcript does not wait for it
        self._used = True
        while bool(self._state.going):
            if self._graph is None:
                self._turn()
            else:
                self._graph.replay()

    def _record(self) -> None:
        """Record a few turns. Recording warms up by running them: what the streams hold is saved from it."""
        saved = [value.clone() for value in self._values()]
        self._graph = Graph(self._turns, ())
        for value, before in zip(self._values(), saved, strict=True):
            value.copy_(before)

    def _values(self) -> tuple[Tensor, ...]:
        s = self._state
        return (s.token, s.hidden, s.cell, s.time, s.length, s.symbols, s.count, s.going)

    def _turns(self) -> tuple[Tensor, ...]:
        for _ in range(TURNS_PER_GRAPH):
            self._turn()
        return (self._state.going,)

    def _turn(self) -> None:
        """One token for every stream that finds one in its window."""
        state, spec, window = self._state, self._spec, self._window
        output, hidden, cell = self._predictor(state.token, state.hidden, state.cell)
        places = state.time[:, None] + self._offsets
        joined = self._projected[self._rows[:, None], places.clamp(max=self._projected.shape[1] - 1)]
        logits = self._joint.combine(joined, self._joint.pred(output)[:, None])
        classes = spec.vocabulary_size + 1
        best = logits[:, :, :classes].argmax(2)
        if spec.durations:
            jumps = self._durations[logits[:, :, classes:].argmax(2)]
        else:
            jumps = torch.zeros_like(best)

        active = (state.time < state.length) & (state.count < _TOKENS_PER_ROUND)
        limit = torch.where(active, (state.length - state.time).clamp(max=window), 0)
        walked = self._walk(best, jumps, limit)
        emitted = walked < limit
        place = walked.clamp(max=window - 1)[:, None]
        token, duration = best.gather(1, place)[:, 0], jumps.gather(1, place)[:, 0]
        scores = logits[self._rows, place[:, 0], :classes]
        probability = scores.softmax(1).amax(1)

        time = torch.where(active, state.time + walked, state.time)
        row = torch.stack((token.float(), time.float(), duration.float(), probability), dim=1)
        slot = torch.where(emitted, state.count, _TOKENS_PER_ROUND)
        self._written[self._rows, slot] = row

        symbols = torch.where(walked > 0, 0, state.symbols) + emitted
        stuck = emitted & (duration == 0) & (symbols >= spec.max_symbols_per_step)
        moved = torch.where(emitted, duration, 0) + stuck
        torch.mul(symbols, moved == 0, out=state.symbols)
        torch.add(time, moved, out=state.time)
        state.count.add_(emitted)
        torch.where(emitted, token, state.token, out=state.token)
        torch.where(emitted[:, None], hidden, state.hidden, out=state.hidden)
        torch.where(emitted[:, None], cell, state.cell, out=state.cell)
        going = (state.time < state.length) & (state.count < _TOKENS_PER_ROUND)
        torch.any(going, out=state.going)

    def _walk(self, best: Tensor, jumps: Tensor, limit: Tensor) -> Tensor:
        """Offset of the first token in every stream's window, or where its walk over blanks left it.

        Following jumps one by one would take as many operations as the window has steps. Instead every
        place learns where two jumps lead, then four, and so on (pointer jumping).

        Args:
            best: [batch, window] classes that won.
            jumps: [batch, window] steps that a blank skips.
            limit: [batch] places that count.

        Returns:
            [batch] below ``limit`` where a token was found.
        """
        stops = (best != self._spec.blank_id) | (self._offsets >= limit[:, None])
        following = torch.where(stops, self._offsets, self._offsets + jumps.clamp(min=1))
        following = torch.cat((following, self._absorbing), dim=1)
        reach = 1
        while reach < self._window:
            following = following.gather(1, following)
            reach *= 2
        return following[:, 0]

    def _fetch(self, tokens: list[list[Token]]) -> bool:
        """Bring what was written to the host; whether any stream has more to say."""
        state = self._state
        counts, times, lengths = torch.stack((state.count, state.time, state.length)).tolist()
        most = max(counts)
        rows = self._written[: len(tokens), :most].tolist() if most else [[]] * len(tokens)
        size = self._spec.vocabulary_size + 1
        for stream, written, count in zip(tokens, rows, counts, strict=False):  # padding rows have no stream
            stream += [_token(row, size) for row in written[:count]]
        return any(time < length for time, length in zip(times, lengths, strict=True))


def _token(row: Sequence[float], classes: int) -> Token:
    token, step, duration, probability = row
    confidence = (probability * classes - 1.0) / (classes - 1.0)
    return Token(int(token), int(step), int(duration), min(1.0, max(0.0, confidence)))


class BatchDecoder:
    """Label loopers of the sizes that were needed so far."""

    def __init__(self, model: Transducer, spec: DecoderSpec, device: torch.device) -> None:
        """Decode with the predictor and joint of ``model``."""
        self._predictor = CellPredictor(model.decoder)
        self._joint, self._spec, self._device = model.joint, spec, device
        self._loopers: dict[tuple[int, int], LabelLooper] = {}

    def decode(self, projected: Tensor, lengths: Tensor) -> list[tuple[Token, ...]]:
        """See :meth:`LabelLooper.decode`."""
        batch, steps = projected.shape[:2]
        size = (1 << (batch - 1).bit_length(), max(256, 1 << (steps - 1).bit_length()))
        if size not in self._loopers:
            self._loopers[size] = LabelLooper(self._predictor, self._joint, self._spec, *size, self._device)
        return self._loopers[size].decode(projected, lengths)
