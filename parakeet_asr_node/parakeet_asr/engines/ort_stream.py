"""ONNX Runtime: a cache-aware encoder, step by step, in two sets of cache buffers that take turns."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnxruntime

from parakeet_asr.core.engine import EncoderOutput
from parakeet_asr.core.model_spec import ModelSpec
from parakeet_asr.core.stream_contract import StreamContract
from parakeet_asr.errors import EngineError
from parakeet_asr.records import FloatArray, IntArray

_CACHES = ("cache_last_channel", "cache_last_time")


class _Caches:
    """One set of buffers: the two large ones on the device, the length on the host."""

    def __init__(self, spec: ModelSpec, device: str) -> None:
        encoder, streaming = spec.encoder, spec.encoder.streaming
        shapes = (
            (1, encoder.layers, streaming.left_context_steps, encoder.d_model),
            (1, encoder.layers, encoder.d_model, streaming.convolution_cache_steps),
        )
        self._zeros = [np.zeros(shape, np.float32) for shape in shapes]
        self.values = [
            onnxruntime.OrtValue.ortvalue_from_numpy(zeros.copy(), device, 0) for zeros in self._zeros
        ]
        self.length: IntArray = np.zeros(1, np.int64)

    def clear(self) -> None:
        """Nothing was heard yet."""
        for value, zeros in zip(self.values, self._zeros, strict=True):
            value.update_inplace(zeros)
        self.length[:] = 0


class OrtEncoderStream:
    """See :class:`parakeet_asr.core.engine.EncoderStream`. Nothing is allocated once it exists."""

    def __init__(self, session: onnxruntime.InferenceSession, spec: ModelSpec, device: str) -> None:
        """Stream through ``session``, the streaming graph of a cache-aware model.

        Raises:
            EngineError: the model is an offline one.
        """
        self._contract = StreamContract(spec)
        self._session = session
        streaming = spec.encoder.streaming
        self._window = np.zeros((1, spec.features.mels, streaming.window_frames), np.float32)
        self._length: IntArray = np.zeros(1, np.int64)
        self._projected = np.zeros((1, streaming.valid_out_steps, spec.decoder.joint_hidden), np.float32)
        self._steps: IntArray = np.zeros(1, np.int64)
        self._caches = [_Caches(spec, device), _Caches(spec, device)]
        self._bindings = [self._bind(*self._caches), self._bind(*reversed(self._caches))]
        self._turn = 0  # the set that holds the present

    def step(self, window: FloatArray, length: int) -> EncoderOutput:
        """See :class:`parakeet_asr.core.engine.EncoderStream`."""
        output = self.peek(window, length)
        self._contract.advance(length)
        self._turn = 1 - self._turn
        return output

    def peek(self, window: FloatArray, length: int) -> EncoderOutput:
        """See :class:`parakeet_asr.core.engine.EncoderStream`. The other set takes what is not wanted."""
        self._contract.check_input(window, length)
        np.copyto(self._window, window)
        self._length[0] = length
        try:
            self._session.run_with_iobinding(self._bindings[self._turn])
        except Exception as error:  # ONNX Runtime's exceptions share no base class below Exception
            raise EngineError(f"ONNX Runtime failed on a window of {length} columns: {error}") from error
        cached = int(self._caches[1 - self._turn].length[0])
        self._contract.check_output(int(self._steps[0]), cached, length)
        return EncoderOutput(self._projected, self._steps)

    def reset(self) -> None:
        """See :class:`parakeet_asr.core.engine.EncoderStream`."""
        self._contract.reset()
        self._caches[self._turn].clear()

    def _bind(self, present: _Caches, following: _Caches) -> Any:
        """Read from one set of caches and write the other one."""
        binding = self._session.io_binding()
        host = onnxruntime.OrtValue.ortvalue_from_numpy  # shares the array's memory
        binding.bind_ortvalue_input("audio_signal", host(self._window))
        binding.bind_ortvalue_input("length", host(self._length))
        binding.bind_ortvalue_input("cache_last_channel_len", host(present.length))
        binding.bind_ortvalue_output("encoded_projected", host(self._projected))
        binding.bind_ortvalue_output("encoded_lengths", host(self._steps))
        binding.bind_ortvalue_output("cache_last_channel_next_len", host(following.length))
        for name, now, after in zip(_CACHES, present.values, following.values, strict=True):
            binding.bind_ortvalue_input(name, now)
            binding.bind_ortvalue_output(f"{name}_next", after)
        return binding
