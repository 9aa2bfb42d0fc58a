"""The engine seam of the recognizer on TensorRT plans."""

from __future__ import annotations

import weakref

import numpy as np

from parakeet_asr.core.engine import EncoderOutput, PredictorState, StepOutput
from parakeet_asr.core.model_spec import STREAMING_GRAPH, ModelSpec
from parakeet_asr.core.stream_contract import StreamContract, require_cache_aware
from parakeet_asr.engines.trt.profiles import DECODER_WINDOW_STEPS, MIN_FRAMES
from parakeet_asr.engines.trt.seam import Device, HostArray, Plan
from parakeet_asr.engines.trt.session import PlanSession, Resident
from parakeet_asr.errors import EngineError
from parakeet_asr.records import FloatArray, IntArray

BUCKET_FRAMES = 80  # lengths are padded up to a multiple, so that growing windows meet few shapes
_CLOSED = "this engine was closed; load the model again"
_CACHES = ("cache_last_channel", "cache_last_time")
_RESIDENT = (*_CACHES, *(f"{name}_next" for name in _CACHES))


class TrtEngine:
    """Runs the plans of one model. Not thread safe: one owner at a time."""

    def __init__(
        self,
        spec: ModelSpec,
        plans: dict[str, Plan],
        device: Device,
        description: str,
        *,
        graphs: bool = True,
    ) -> None:
        """Allocate everything that is needed to run.

        Args:
            spec: the contract that the plans are held to.
            plans: ``encoder`` and ``decoder_step``, and ``encoder_stream`` of a cache-aware model.
            device: its memory and stream; the engine owns it from here on.
            description: for people.
            graphs: record frequent shapes as CUDA graphs.

        Raises:
            PlanError: a plan is not one of this model.
            EngineError: memory is exhausted.
        """
        self.spec = spec
        self._description = description
        self._device: Device | None = device
        self._plans = plans
        self._encoder = PlanSession(
            "encoder",
            plans["encoder"],
            device,
            spec.graphs["encoder"],
            wanted=("encoded_projected", "encoded_lengths"),
            graphs=graphs,
        )
        self._decoder = PlanSession(
            "decoder_step",
            plans["decoder_step"],
            device,
            spec.graphs["decoder_step"],
            wanted=("logits", "hidden_out", "cell_out"),
            graphs=graphs,
        )
        self._graphs = graphs
        self._idle_streams: list[_StreamBuffers] = []

    @property
    def description(self) -> str:
        """See :class:`parakeet_asr.core.engine.Engine`."""
        refused = self._encoder.graph_refusal or self._decoder.graph_refusal
        return f"{self._description}, without CUDA graphs: {refused}" if refused else self._description

    def encode(self, features: FloatArray, lengths: IntArray) -> EncoderOutput:
        """See :class:`parakeet_asr.core.engine.Engine`.

        More utterances than the plan takes at once go through it in several passes.
        """
        self._require_open()
        most = self._encoder.largest("audio_signal")[0]
        parts = [
            self._encode(features[i : i + most], lengths[i : i + most]) for i in range(0, len(lengths), most)
        ]
        if len(parts) == 1:
            return parts[0]
        steps = np.concatenate([part.lengths for part in parts])
        projected = np.zeros((len(steps), int(steps.max()), parts[0].projected.shape[2]), np.float32)
        row = 0
        for part in parts:
            count, width = part.projected.shape[:2]
            projected[row : row + count, :width] = part.projected
            row += count
        return EncoderOutput(projected, steps)

    def _encode(self, features: FloatArray, lengths: IntArray) -> EncoderOutput:
        batch, mels, frames = features.shape
        padded = self._padded_frames(frames)
        if padded != frames:
            wide = np.zeros((batch, mels, padded), np.float32)
            wide[:, :, :frames] = features
            features = wide
        answer = self._encoder.run({"audio_signal": features, "length": lengths})
        steps = answer["encoded_lengths"]
        self._check_steps(steps, lengths)
        width = int(steps.max(initial=0))
        projected = answer["encoded_projected"][:, :width]
        if not np.isfinite(projected).all():
            raise EngineError(
                f"the encoder answered {np.count_nonzero(~np.isfinite(projected))} values that are no "
                "numbers; build the engine again, or use engine 'ort'"
            )
        # the caller may keep it over the next call of this method, which is what several passes do
        return EncoderOutput(projected.copy(), steps.copy())

    def _padded_frames(self, frames: int) -> int:
        """Up to a bucket, but not beyond what the plan takes."""
        most = self._encoder.largest("audio_signal")[2]
        padded = max(MIN_FRAMES, -(-frames // BUCKET_FRAMES) * BUCKET_FRAMES)
        return min(padded, max(frames, most))

    def _check_steps(self, steps: HostArray, lengths: IntArray) -> None:
        """The host counts, too: a graph that counted in float16 would be wrong from 2049 frames on."""
        expected = encoder_steps(self.spec, lengths)
        if not np.array_equal(steps, expected):
            raise EngineError(
                f"lengths {lengths.tolist()} are {expected.tolist()} encoder steps, the engine answered "
                f"{steps.tolist()}; export the model and build the engine again"
            )

    def step(self, projected: FloatArray, tokens: IntArray, state: PredictorState) -> StepOutput:
        """See :class:`parakeet_asr.core.engine.Engine`."""
        self._require_open()
        batch, window, width = projected.shape
        most, size = self._decoder.largest("token")[0], DECODER_WINDOW_STEPS
        if window > size:
            raise EngineError(f"expected at most {size} steps at once, got {window}; build the engine again")
        if batch <= most:
            wide = projected
            if window < size:  # one shape, one CUDA graph
                wide = np.zeros((batch, size, width), np.float32)
                wide[:, :window] = projected
            return self._step(wide, tokens, state, window)
        parts = [
            self.step(
                projected[i : i + most],
                tokens[i : i + most],
                PredictorState(state.hidden[:, i : i + most], state.cell[:, i : i + most]),
            )
            for i in range(0, batch, most)
        ]
        return StepOutput(
            np.concatenate([p.logits for p in parts]),
            PredictorState(
                np.concatenate([p.state.hidden for p in parts], axis=1),
                np.concatenate([p.state.cell for p in parts], axis=1),
            ),
        )

    def _step(
        self, projected: FloatArray, tokens: IntArray, state: PredictorState, window: int
    ) -> StepOutput:
        answer = self._decoder.run(
            {
                "encoded_projected": projected,
                "token": tokens,
                "hidden_in": state.hidden,
                "cell_in": state.cell,
            }
        )
        # copies: a batch in several passes keeps the first answers over the next calls
        hidden, cell = answer["hidden_out"].copy(), answer["cell_out"].copy()
        return StepOutput(answer["logits"][:, :window].copy(), PredictorState(hidden, cell))

    def open_stream(self) -> TrtEncoderStream:
        """See :class:`parakeet_asr.core.engine.Engine`.

        Buffers of a stream that nobody has any more serve the next one: an utterance allocates nothing.
        """
        require_cache_aware(self.spec)
        device = self._require_open()
        idle = self._idle_streams
        plan = self._plans[STREAMING_GRAPH]
        buffers = idle.pop() if idle else _StreamBuffers(self.spec, plan, device, self._graphs)
        stream = TrtEncoderStream(self.spec, buffers)
        weakref.finalize(stream, idle.append, buffers)
        return stream

    def close(self) -> None:
        """Free plans, buffers and the stream, in this order."""
        device, self._device = self._device, None
        if device is None:
            return
        for plan in self._plans.values():
            plan.close()
        device.close()

    def _require_open(self) -> Device:
        if self._device is None:
            raise EngineError(_CLOSED)
        return self._device


def encoder_steps(spec: ModelSpec, frames: IntArray) -> IntArray:
    """Steps that frames become: each halving rounds up, or down plus one where the subsampling is causal."""
    is_causal = spec.encoder.streaming.kind == "cache_aware"
    for _ in range(spec.encoder.subsampling_factor.bit_length() - 1):
        frames = frames // 2 + 1 if is_causal else (frames + 1) // 2
    return frames


class _StreamBuffers:
    """A session of the streaming plan and two sets of caches, which never leave the device."""

    def __init__(self, spec: ModelSpec, plan: Plan, device: Device, graphs: bool) -> None:
        """Allocate."""
        self.device = device
        self.session = PlanSession(
            STREAMING_GRAPH,
            plan,
            device,
            spec.graphs[STREAMING_GRAPH],
            wanted=("encoded_projected", "encoded_lengths", "cache_last_channel_next_len"),
            resident=_RESIDENT,
            graphs=graphs,
        )
        self._sizes = {n: 4 * int(np.prod(self.session.largest(n))) for n in _CACHES}
        self.sets = [{name: device.allocate(size) for name, size in self._sizes.items()} for _ in range(2)]

    def clear(self, turn: int) -> None:
        """Nothing was heard yet, says this set."""
        for name, address in self.sets[turn].items():
            self.device.clear(address, self._sizes[name])


class TrtEncoderStream:
    """See :class:`parakeet_asr.core.engine.EncoderStream`.

    Two sets of caches take turns; each turn has its own addresses, and so its own CUDA graph.
    """

    def __init__(self, spec: ModelSpec, buffers: _StreamBuffers) -> None:
        """Begin a signal with buffers that nobody else uses."""
        self._contract = StreamContract(spec)
        self._buffers = buffers
        self._lengths: list[IntArray] = [np.zeros(1, np.int64), np.zeros(1, np.int64)]
        self._turn = 0
        buffers.clear(self._turn)

    def step(self, window: FloatArray, length: int) -> EncoderOutput:
        """See :class:`parakeet_asr.core.engine.EncoderStream`."""
        output = self.peek(window, length)
        self._contract.advance(length)
        self._turn = 1 - self._turn
        return output

    def peek(self, window: FloatArray, length: int) -> EncoderOutput:
        """See :class:`parakeet_asr.core.engine.EncoderStream`. The other set takes what is not wanted."""
        self._contract.check_input(window, length)
        now, after = self._turn, 1 - self._turn
        answer = self._buffers.session.run(
            {
                "audio_signal": window,
                "length": np.array([length], np.int64),
                "cache_last_channel_len": self._lengths[now],
            },
            self._resident(now, after),
        )
        steps = answer["encoded_lengths"]
        cached = answer["cache_last_channel_next_len"]
        self._contract.check_output(int(steps[0]), int(cached[0]), length)
        self._lengths[after][:] = cached
        return EncoderOutput(answer["encoded_projected"], steps)

    def reset(self) -> None:
        """See :class:`parakeet_asr.core.engine.EncoderStream`."""
        self._contract.reset()
        self._buffers.clear(self._turn)
        self._lengths[self._turn][:] = 0

    def _resident(self, now: int, after: int) -> Resident:
        return tuple(
            pair
            for name in _CACHES
            for pair in (
                (name, self._buffers.sets[now][name]),
                (f"{name}_next", self._buffers.sets[after][name]),
            )
        )
