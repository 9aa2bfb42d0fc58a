"""The graph of one streaming step of a cache-aware encoder, with NeMo's names of inputs and outputs.

Every step has the same shapes, the first and the last one included, so that an engine is built for one shape
only: the window is always ``window_frames`` wide, in the first one (``cache_last_channel_len`` 0) the columns
before the audio stand for nothing, and ``length`` says how much of the last one is valid. So the steps that
come out are those of the whole pass, from the first to the last.
"""

from __future__ import annotations

import numpy as np

from parakeet_asr.core.model_spec import StreamingSpec
from parakeet_asr.engines.pytorch.model.attention import MASKED_SCORE, RelativeAttention, relative_positions
from parakeet_asr.engines.pytorch.model.encoder import ConformerLayer
from parakeet_asr.engines.pytorch.model.transducer import Transducer
from parakeet_asr.nemo.streaming import streaming_spec
from parakeet_asr_tools.onnx_export.builder import GraphBuilder
from parakeet_asr_tools.onnx_export.causal_subsampling import causal_subsampling
from parakeet_asr_tools.onnx_export.encoder_graph import conformer_layer
from parakeet_asr_tools.onnx_export.layers import array_of, linear, valid_mask
from parakeet_asr_tools.onnx_export.subsampling_graph import subsampling_projection


def write_encoder_stream(graph: GraphBuilder, model: Transducer) -> None:
    """Fill ``graph`` with one step of ``model``, which is cache-aware."""
    config, encoder = model.config.encoder, model.encoder
    spec = streaming_spec(config)
    features = graph.input("audio_signal", "float32", ("batch", config.mels, spec.window_frames))
    length = graph.input("length", "int64", ("batch",))
    state = _State(graph, spec, config.layers, config.d_model)
    with graph.scope("pre_encode"):
        nothing = spec.drop_extra_pre_encoded_steps * config.subsampling_factor
        empty = graph.op("Equal", state.cached, graph.constant(0))
        first = graph.op("Where", empty, graph.constant(nothing), graph.constant(0))
        x, valid, _ = causal_subsampling(graph, encoder.pre_encode, features, length, first)
        x = subsampling_projection(graph, encoder.pre_encode, x, encoder.scale)
        dropped = graph.constant([spec.drop_extra_pre_encoded_steps])
        x = graph.op("Slice", x, dropped, graph.constant([2**31 - 1]), graph.constant([1]))
        valid = graph.op("Max", graph.op("Sub", valid, dropped), graph.constant([0]))
    step = _StreamStep(graph, spec, state, valid)
    for i, layer in enumerate(encoder.layers):
        assert isinstance(layer, ConformerLayer)
        with graph.scope(f"layers.{i}"):
            step.layer = i
            x = conformer_layer(graph, layer, x, step)
    with graph.scope("joint"):
        projected = linear(graph, x, model.joint.enc, "enc")
    steps = spec.valid_out_steps
    outputs = graph.op("Transpose", x, perm=[0, 2, 1])
    graph.output("outputs", outputs, "float32", ("batch", config.d_model, steps))
    graph.output("encoded_lengths", valid, "int64", ("batch",))
    state.write_next(step.channels, step.times)
    graph.output("encoded_projected", projected, "float32", ("batch", steps, model.config.joint.hidden))


class _State:
    """The caches that go in and out."""

    def __init__(self, graph: GraphBuilder, spec: StreamingSpec, layers: int, d_model: int) -> None:
        self._graph, self._spec = graph, spec
        self._channel_shape = ("batch", layers, spec.left_context_steps, d_model)
        self._time_shape = ("batch", layers, d_model, spec.convolution_cache_steps)
        self.channel = graph.input("cache_last_channel", "float32", self._channel_shape)
        self.time = graph.input("cache_last_time", "float32", self._time_shape)
        self.cached = graph.input("cache_last_channel_len", "int64", ("batch",))

    def write_next(self, channels: list[str], times: list[str]) -> None:
        """Put the layers' caches together, [batch, ...] each, and give them out."""
        graph = self._graph
        longer = graph.op("Add", self.cached, graph.constant([self._spec.valid_out_steps]))
        cached = graph.op("Min", longer, graph.constant([self._spec.left_context_steps]))
        graph.output("cache_last_channel_next", self._stacked(channels), "float32", self._channel_shape)
        graph.output("cache_last_time_next", self._stacked(times), "float32", self._time_shape)
        graph.output("cache_last_channel_next_len", cached, "int64", ("batch",))

    def _stacked(self, layers: list[str]) -> str:
        axis = self._graph.constant([1])
        return self._graph.op("Concat", *(self._graph.op("Unsqueeze", x, axis) for x in layers), axis=1)


class _StreamStep:
    """Before the new steps lie those of the caches: the Surroundings of every layer in turn."""

    def __init__(self, graph: GraphBuilder, spec: StreamingSpec, state: _State, valid: str) -> None:
        self._graph, self._spec, self._state = graph, spec, state
        self._queries = spec.valid_out_steps
        self._keys = spec.left_context_steps + self._queries
        self.layer = 0
        self.channels: list[str] = []
        self.times: list[str] = []
        with graph.scope("shared"):
            self.convolution_mask = valid_mask(graph, valid, graph.constant(self._queries), [2])
            self.score_mask = self._visible_scores(valid)
            self.rows_of_queries = graph.constant([0, 0, -1, self._queries])
            self.queries_of_rows = graph.constant([0, 0, self._queries, -1])
            self.keys = graph.constant([self._keys])

    def attention_context(self, x: str) -> str:
        """The layer's cache, then ``x``; what is left of it becomes the next cache."""
        context = self._graph.op("Concat", self._cache(self._state.channel), x, axis=1)
        self.channels.append(self._last(context, self._spec.left_context_steps, axis=1))
        return context

    def positions(self, module: RelativeAttention) -> str:
        """A constant: the distances are the same in every step."""
        heads, size = module.pos_bias_u.shape
        sinusoids = relative_positions(self._queries, self._keys + 1, heads * size).numpy().astype(np.float64)
        projected = array_of(module.linear_pos.weight).astype(np.float64) @ sinusoids.T
        return self._graph.weight("positions", projected.astype(np.float32).reshape(1, heads, size, -1))

    def convolution_context(self, x: str, context: tuple[int, int]) -> tuple[str, list[int]]:
        """The layer's cache, then ``x``; nothing is left to pad."""
        cache = self._graph.op("Unsqueeze", self._cache(self._state.time), self._graph.constant([2]))
        x = self._graph.op("Concat", cache, x, axis=3)
        following = self._last(x, context[0], axis=3)
        self.times.append(self._graph.op("Squeeze", following, self._graph.constant([2])))
        return x, [0, 0, 0, 0]

    def _cache(self, caches: str) -> str:
        return self._graph.op("Gather", caches, self._graph.constant(self.layer), axis=1)

    def _last(self, x: str, count: int, axis: int) -> str:
        """The last ``count`` of an axis."""
        graph = self._graph
        return graph.op(
            "Slice", x, graph.constant([-count]), graph.constant([2**31 - 1]), graph.constant([axis])
        )

    def _visible_scores(self, valid: str) -> str:
        """[batch, 1, 1, keys]: cached steps lie at the end of the cache, right before the new ones."""
        graph = self._graph
        left, keys = graph.constant([self._spec.left_context_steps]), graph.constant(self._keys)
        until = valid_mask(graph, graph.op("Add", valid, left), keys, [1, 2])
        empty = valid_mask(graph, graph.op("Sub", left, self._state.cached), keys, [1, 2])
        hidden = graph.op("Sub", graph.floats(1.0), graph.op("Sub", until, empty))
        return graph.op("Mul", hidden, graph.floats(MASKED_SCORE))
