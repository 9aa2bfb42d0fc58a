"""Feed an engine the reference's chunks and measure what it answers."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import numpy as np

from parakeet_asr.core.decoding import GreedyDecoder, initial_state
from parakeet_asr.core.edit_distance import edit_distance
from parakeet_asr.core.engine import EncoderOutput, Engine
from parakeet_asr.errors import EngineError
from parakeet_asr.records import FloatArray
from parakeet_asr_tools.parity import DEFAULT_TOLERANCE
from parakeet_asr_tools.parity.contract import CACHES, AnyArray, ChunkContract, Tensors, not_numbers
from parakeet_asr_tools.parity.reference import Chunk, Reference
from parakeet_asr_tools.parity.runners import Runner

Mode = Literal["functional", "closed_loop"]
CRITICAL_SLOPE = 1e-5  # of the error, per chunk: more means that it grows without end


@dataclass(frozen=True, slots=True)
class ChunkResult:
    """One chunk."""

    error: float  # largest absolute, of the encoder's outputs
    cache_error: float  # of both caches behind it
    whole_error: float  # against one pass over the whole signal; nan where that does not say the same
    passed: bool
    violations: tuple[str, ...] = ()


@dataclass(slots=True)
class ParityResult:
    """All chunks."""

    engine: str
    reference: str
    kind: str
    mode: Mode
    tolerance: float
    cache_tolerance: float
    chunks: list[ChunkResult] = field(default_factory=list)
    tokens: int = 0
    token_errors: int | None = None  # against the reference's own streaming; None: nothing decodes
    whole_tokens: int = 0
    whole_token_errors: int | None = None  # against the model's own offline answer
    reference_whole_token_errors: int = 0  # what streaming costs the reference itself

    @property
    def pass_rate(self) -> float:
        """Share of chunks within tolerance, 0..1."""
        return sum(chunk.passed for chunk in self.chunks) / max(1, len(self.chunks))

    @property
    def contract_rate(self) -> float:
        """Share of chunks whose contract holds, 0..1."""
        return sum(not chunk.violations for chunk in self.chunks) / max(1, len(self.chunks))

    @property
    def slope(self) -> float:
        """Of the error over the chunks, by least squares."""
        if len(self.chunks) < 2:
            return 0.0
        return float(np.polyfit(np.arange(len(self.chunks)), [c.error for c in self.chunks], 1)[0])

    @property
    def passed(self) -> bool:
        """Every chunk within tolerance, every contract held, and no drift."""
        return self.pass_rate == 1.0 and self.contract_rate == 1.0 and abs(self.slope) < CRITICAL_SLOPE

    def to_json(self) -> dict[str, Any]:
        """The summary, then every chunk."""
        errors = np.array([chunk.error for chunk in self.chunks])
        caches = np.array([chunk.cache_error for chunk in self.chunks])
        whole = np.array([chunk.whole_error for chunk in self.chunks])
        data = asdict(self)
        chunks = data.pop("chunks")
        return {
            **data,
            "passed": self.passed,
            "pass_rate": self.pass_rate,
            "contract_rate": self.contract_rate,
            "error": _quantiles(errors),
            "cache_error": _quantiles(caches),
            "whole_error": _quantiles(whole[np.isfinite(whole)]),
            "slope": self.slope,
            "slope_is_critical": bool(abs(self.slope) >= CRITICAL_SLOPE),
            "violations": sorted({text for chunk in self.chunks for text in chunk.violations}),
            "chunks": [
                {**chunk, "whole_error": chunk["whole_error"] if np.isfinite(chunk["whole_error"]) else None}
                for chunk in chunks
            ],
        }


def run_parity(
    reference: Reference,
    runner: Runner,
    mode: Mode,
    *,
    max_chunks: int | None = None,
    tolerance: float = DEFAULT_TOLERANCE,
    cache_tolerance: float = DEFAULT_TOLERANCE,
) -> ParityResult:
    """Hold an engine against a reference.

    Args:
        reference: of the same model.
        runner: the engine.
        mode: ``functional`` feeds the reference's caches to each chunk; ``closed_loop`` the engine's own, as
            it runs in earnest, so that errors may add up.
        max_chunks: stop after so many.
        tolerance: of the encoder's outputs, absolute.
        cache_tolerance: of the caches.

    Raises:
        EngineError: the engine fails.
    """
    result = ParityResult(
        engine=runner.description,
        reference=reference.source,
        kind=reference.kind,
        mode=mode,
        tolerance=tolerance,
        cache_tolerance=cache_tolerance,
    )
    contract = ChunkContract(reference.spec) if reference.kind == "cache_aware" else None
    listener = None if runner.decoder is None else _Listener(runner.decoder)
    own: Tensors = {}
    at = 0
    for i, chunk in enumerate(reference.iterate()):
        if i == max_chunks:
            break
        inputs = {**chunk.inputs, **own} if mode == "closed_loop" else chunk.inputs
        outputs = runner.run(inputs)
        violations = _violations(contract, chunk, inputs, outputs)
        steps = chunk.outputs["outputs"].shape[2]
        got = outputs["outputs"][:, :, chunk.first_step : chunk.first_step + steps]
        result.chunks.append(_judge(reference, result, chunk, got, outputs, violations, at))
        if listener is not None and "encoded_projected" in outputs:
            listener.hear(outputs["encoded_projected"][:, chunk.first_step : chunk.first_step + steps])
        if contract is not None:
            own = {name: outputs[after] for name, after in CACHES.items()}
        at += steps
    if listener is not None and len(result.chunks) == reference.chunks:
        result.tokens, result.whole_tokens = len(reference.tokens), len(reference.whole_tokens)
        result.token_errors = edit_distance(reference.tokens, listener.tokens)
        result.whole_token_errors = edit_distance(reference.whole_tokens, listener.tokens)
        result.reference_whole_token_errors = edit_distance(reference.whole_tokens, reference.tokens)
    return result


class _Listener:
    """Decodes what comes out, with carried state."""

    def __init__(self, engine: Engine) -> None:
        self._decoder, self._state = GreedyDecoder(engine), initial_state(engine.spec.decoder)
        self.tokens: list[int] = []

    def hear(self, projected: FloatArray) -> None:
        """The next steps."""
        lengths = np.array([projected.shape[1]], np.int64)
        (decoded,) = self._decoder.decode(EncoderOutput(projected, lengths), [self._state])
        self._state = decoded.state
        self.tokens += [token.id for token in decoded.tokens]


def _violations(
    contract: ChunkContract | None, chunk: Chunk, inputs: Tensors, outputs: Tensors
) -> tuple[str, ...]:
    if contract is not None:
        if missing := sorted(set(CACHES.values()) - set(outputs)):
            raise EngineError(f"expected a streaming graph, its outputs lack {missing}")
        return tuple(contract.violations(inputs, outputs))
    expected, got = chunk.outputs["encoded_lengths"].tolist(), outputs["encoded_lengths"].tolist()
    found = [] if expected == got else [f"encoded_lengths: expected {expected}, got {got}"]
    return (*found, *not_numbers(outputs))


def _judge(
    reference: Reference,
    result: ParityResult,
    chunk: Chunk,
    got: AnyArray,
    outputs: Tensors,
    violations: tuple[str, ...],
    at: int,
) -> ChunkResult:
    error = _largest(chunk.outputs["outputs"], got)
    # behind a chunk that is not whole nothing follows, and its caches say nothing
    is_whole = int(chunk.inputs["length"][0]) == chunk.inputs["audio_signal"].shape[2]
    caches = [
        _largest(chunk.outputs[name], outputs[name])
        for name in ("cache_last_channel_next", "cache_last_time_next")
        if is_whole and name in chunk.outputs
    ]
    cache_error = max(caches, default=0.0)
    whole = float("nan")
    if reference.kind == "cache_aware":
        whole = _largest(reference.whole[at : at + got.shape[2]].T[None], got)
    return ChunkResult(
        error=error,
        cache_error=cache_error,
        whole_error=whole,
        passed=error <= result.tolerance and cache_error <= result.cache_tolerance,
        violations=violations,
    )


def _largest(expected: AnyArray, got: AnyArray) -> float:
    """The largest error; infinite where shapes differ or a value is no number."""
    if expected.shape != got.shape or not np.isfinite(got).all():
        return float("inf")
    return float(np.abs(expected - got).max(initial=0.0))


def _quantiles(errors: FloatArray | AnyArray) -> dict[str, float]:
    if not len(errors):
        return {}
    return {
        "p50": float(np.quantile(errors, 0.5)),
        "p95": float(np.quantile(errors, 0.95)),
        "p99": float(np.quantile(errors, 0.99)),
        "largest": float(np.max(errors)),
    }
