"""Recordings of any length in bounded memory, without lost or doubled words at the seams.

The recording is cut into pieces at calm places. Each piece is encoded together with audio on its left
and right, so that every encoder step sees enough context; only the piece's own steps are decoded, with
the decoder's state carried from piece to piece. There is no text to stitch: every step is decoded once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from parakeet_asr.core.cache_aware import CacheAwareStream
from parakeet_asr.core.decoding import Decoded, DecoderState, initial_state
from parakeet_asr.core.engine import EncoderOutput
from parakeet_asr.core.recognizer import Recognizer
from parakeet_asr.core.sample_buffer import SampleBuffer
from parakeet_asr.records import SAMPLE_RATE_HZ, FloatArray, Token, Transcription


@dataclass(frozen=True, slots=True)
class LongformOptions:
    """Sizes of the windows, in seconds."""

    single_pass_s: float = 40.0  # recordings up to this go through the encoder whole
    piece_s: float = 25.0  # longest piece
    search_s: float = 8.0  # the cut is the calmest place in this much before the end of a piece
    context_s: float = 5.0  # audio on either side that the encoder sees but nobody decodes


def longform_within(longest_s: float) -> LongformOptions:
    """Windows for an engine that takes at most ``longest_s`` of audio at once."""
    default = LongformOptions()
    context_s = min(default.context_s, longest_s / 4)
    piece_s = min(default.piece_s, longest_s - 2 * context_s)
    return LongformOptions(
        single_pass_s=min(default.single_pass_s, longest_s),
        piece_s=piece_s,
        search_s=min(default.search_s, piece_s / 2),
        context_s=context_s,
    )


@dataclass(frozen=True, slots=True)
class _Piece:
    """A window of samples and the part of it that is decoded."""

    window: FloatArray
    left_samples: int  # context before the piece
    samples: int  # the piece
    is_last: bool

    @property
    def is_whole(self) -> bool:
        """Whether this is all of the recording."""
        return self.is_last and not self.left_samples

    @property
    def own(self) -> FloatArray:
        """The piece without its context."""
        return self.window[self.left_samples : self.left_samples + self.samples]


def recognize_stream(
    recognizer: Recognizer,
    blocks: Iterable[FloatArray],
    options: LongformOptions | None = None,
    on_piece: Callable[[float], None] | None = None,
) -> Transcription:
    """Recognize one recording that arrives in blocks.

    Args:
        recognizer: what recognizes.
        blocks: the recording's samples, [n] float32 at 16 kHz each, of any size.
        options: sizes of the windows.
        on_piece: called with the seconds done after every piece.

    Returns:
        All of it; token and word times count from the recording's beginning.
    """
    decoder = _DECODERS[recognizer.spec.encoder.streaming.kind](recognizer)
    tokens: list[Token] = []
    samples = 0
    for piece in _pieces(blocks, options or LongformOptions(), recognizer.step_samples):
        if piece.is_whole:  # one pass, guarded, as any short recording
            heard = recognizer.recognize([piece.own])[0]
            if on_piece is not None:
                on_piece(piece.samples / SAMPLE_RATE_HZ)
            return heard
        tokens += decoder.decode(piece)
        samples += piece.samples
        if on_piece is not None:
            on_piece(samples / SAMPLE_RATE_HZ)
    return replace(recognizer.transcription(tuple(tokens), samples), recovered=decoder.recovered)


class _WindowDecoder:
    """For offline models: every piece is encoded with its context, the decoder's state is carried."""

    def __init__(self, recognizer: Recognizer) -> None:
        self._recognizer = recognizer
        self._state = initial_state(recognizer.spec.decoder)
        self.recovered = False

    def decode(self, piece: _Piece) -> tuple[Token, ...]:
        """Tokens of the piece, counted from the recording's beginning."""
        decoded = _decode_piece(self._recognizer, piece, self._state)
        tokens = self._recognizer.fill_holes(piece.own, decoded.tokens, self._state.step)
        self.recovered = self.recovered or tokens is not decoded.tokens
        self._state = decoded.state
        return tokens


class _CacheDecoder:
    """For cache-aware models: the caches are the context, and nothing is encoded twice."""

    def __init__(self, recognizer: Recognizer) -> None:
        self._recognizer = recognizer
        self._buffer = SampleBuffer(SAMPLE_RATE_HZ)
        self._stream: CacheAwareStream | None = None
        self._given = 0  # tokens
        self.recovered = False

    def decode(self, piece: _Piece) -> tuple[Token, ...]:
        """Tokens that are new with the piece, counted from the recording's beginning."""
        if self._stream is None:
            self._stream = CacheAwareStream(self._recognizer, self._buffer.view)
        self._buffer.append(piece.own)
        if piece.is_last:
            self._stream.flush(self._buffer.end)
        else:
            self._stream.advance(self._buffer.end)
        self._buffer.forget_before(self._buffer.end)
        committed = self._stream.committed
        given, self._given = self._given, len(committed)
        return committed[given:]


_DECODERS: dict[str, type[_WindowDecoder | _CacheDecoder]] = {
    "offline": _WindowDecoder,
    "cache_aware": _CacheDecoder,
}


def _decode_piece(recognizer: Recognizer, piece: _Piece, state: DecoderState) -> Decoded:
    if not recognizer.features.frame_count(len(piece.window)):
        return Decoded((), state)  # less than one frame at the very end
    encoded = recognizer.encode([piece.window])
    first = piece.left_samples // recognizer.step_samples
    last = int(encoded.lengths[0])
    if not piece.is_last:
        last = min(last, first + piece.samples // recognizer.step_samples)
    steps = EncoderOutput(encoded.projected[:, first:last], np.array([last - first], np.int64))
    return recognizer.decode(steps, [state])[0]


def _pieces(blocks: Iterable[FloatArray], options: LongformOptions, step_samples: int) -> Iterator[_Piece]:
    """Cut a stream of blocks into pieces with context; all cuts lie on encoder steps."""

    def steps(seconds: float) -> int:
        return int(seconds * SAMPLE_RATE_HZ) // step_samples * step_samples

    single, longest, context = steps(options.single_pass_s), steps(options.piece_s), steps(options.context_s)
    buffer = np.empty(0, np.float32)  # [left context | not yet decoded]
    left = 0
    whole = True
    for block in _gather(blocks, step_samples * 64):
        buffer = np.concatenate((buffer, block))
        while len(buffer) - left > (single if whole else longest + context):
            whole = False
            size = _calmest_cut(buffer[left : left + longest], steps(options.search_s), step_samples)
            yield _Piece(buffer[: left + size + context], left, size, is_last=False)
            drop = max(0, left + size - context)
            buffer, left = buffer[drop:], left + size - drop
    if len(buffer) > left:
        yield _Piece(buffer, left, len(buffer) - left, is_last=True)


def _calmest_cut(samples: FloatArray, search_samples: int, step_samples: int) -> int:
    """Length, in whole steps, up to the quietest 0.4 s in the last ``search_samples``."""
    start = max(step_samples, len(samples) - search_samples) // step_samples * step_samples
    tail = samples[start : len(samples) // step_samples * step_samples].reshape(-1, step_samples)
    energy = np.square(tail).sum(axis=1)
    smooth = np.convolve(energy, np.ones(5), "same")
    return start + int(smooth.argmin()) * step_samples


def _gather(blocks: Iterable[FloatArray], least: int) -> Iterator[FloatArray]:
    """Join small blocks, so that the buffer is not copied for every one of them."""
    waiting: list[FloatArray] = []
    size = 0
    for block in blocks:
        waiting.append(block)
        size += len(block)
        if size >= least:
            yield np.concatenate(waiting)
            waiting, size = [], 0
    if waiting:
        yield np.concatenate(waiting)
