"""The seam between the recognizer and whatever runs the neural networks.

An engine runs graphs and nothing else: it knows no audio, no tokens, no time. Buffers that it
returns are valid until the next call of the same method (an engine may reuse them).

An engine on a device of its own may also be an :class:`AudioDecoder`: the whole way there without a stop
at the host. Whoever wants tokens only asks for it; whoever needs what lies between (streams, phrases) uses
the engine, and both give the same tokens.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from parakeet_asr.core.model_spec import ModelSpec
from parakeet_asr.records import FloatArray, IntArray, Token


@dataclass(frozen=True, slots=True)
class EncoderOutput:
    """Encoder steps of a batch, as :meth:`Engine.step` of the same engine wants them."""

    # [batch, steps, joint_hidden], through the joint network's encoder projection; [batch, steps, d_model]
    # where the model's graphs leave that projection to the joint network (core.split_graphs)
    projected: FloatArray
    lengths: IntArray  # [batch] valid steps


@dataclass(frozen=True, slots=True)
class PredictorState:
    """LSTM state of the predictor before it consumes the last emitted token."""

    hidden: FloatArray  # [layers, batch, predictor_hidden]
    cell: FloatArray  # [layers, batch, predictor_hidden]


@dataclass(frozen=True, slots=True)
class StepOutput:
    """What the fused predictor + joint says about a window of encoder steps."""

    logits: FloatArray  # [batch, window, vocabulary_size + 1 + len(durations)], raw
    state: PredictorState  # after the token was consumed


class EncoderStream(Protocol):
    """A cache-aware encoder in the middle of one signal; it owns the caches. One owner at a time.

    Every window is [1, mels, window_frames] whatever is in it, see ``StreamingSpec``: the frames before the
    chunk, then the chunk. The columns before the very first chunk are zero, and stand for nothing. Only the
    last window of a signal may hold less than a whole chunk. What comes out is valid until the next call.
    """

    def step(self, window: FloatArray, length: int) -> EncoderOutput:
        """Encode the next chunk and remember it.

        Args:
            window: [1, mels, window_frames] float32.
            length: valid columns, including those before the chunk; what lies behind is not looked at.

        Returns:
            [1, valid_out_steps, joint_hidden] and the steps of it that are valid.

        Raises:
            EngineError: a window of another size, a length that cannot be, a window behind the last one, the
                engine answered with other lengths than the contract says, or it failed.
        """
        ...

    def peek(self, window: FloatArray, length: int) -> EncoderOutput:
        """Like :meth:`step` with what is there of the next chunk, remembering nothing."""
        ...

    def reset(self) -> None:
        """Begin the next signal."""
        ...


class Engine(Protocol):
    """Runs one model. Not thread safe: one owner at a time."""

    @property
    def spec(self) -> ModelSpec:
        """The contract of the model that is loaded."""
        ...

    @property
    def description(self) -> str:
        """Engine, provider and precision, for people: ``onnxruntime CPU float32``."""
        ...

    def encode(self, features: FloatArray, lengths: IntArray) -> EncoderOutput:
        """Run the encoder.

        Args:
            features: [batch, mels, frames] float32, columns past each length are zero.
            lengths: [batch] int64 valid frames.

        Raises:
            EngineError: the graph failed.
        """
        ...

    def open_stream(self) -> EncoderStream:
        """A stream of a cache-aware model, with caches of its own.

        Raises:
            EngineError: the model is an offline one.
        """
        ...

    def step(self, projected: FloatArray, tokens: IntArray, state: PredictorState) -> StepOutput:
        """Feed one token to the predictor and join its output with a window of encoder steps.

        A pure function: asking again with the same token and state gives the same answer, so that a
        decoder that saw only blanks in the window asks again for the next one.

        Args:
            projected: [batch, window, joint_hidden] from :meth:`encode`.
            tokens: [batch] int64 last emitted token; the blank id stands for start of sequence.
            state: the predictor's state before ``tokens``.

        Raises:
            EngineError: the graph failed.
        """
        ...

    def close(self) -> None:
        """Give memory back. The engine cannot be used afterwards."""
        ...


@runtime_checkable
class AudioDecoder(Protocol):
    """What an engine may offer besides: features, encoder and greedy decoder in one go on its device."""

    def decode_audio(self, audio: Sequence[FloatArray]) -> list[tuple[Token, ...]]:
        """Decode whole pieces of audio from fresh states, as ``core.features`` and ``core.decoding`` would.

        Args:
            audio: one or more times [n] float32 at 16 kHz, a frame at least each.

        Returns:
            The tokens of each piece, their steps counted from its beginning.

        Raises:
            EngineError: it failed.
        """
        ...
