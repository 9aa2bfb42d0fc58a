"""CUDA graphs: a function of tensors of fixed shapes, recorded once and replayed with one launch."""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from typing import Any

import torch
from torch import Tensor

_log = logging.getLogger(__name__)
_WARM_UP_CALLS = 2  # before capture: libraries choose their kernels and allocate workspaces

Function = Callable[..., tuple[Tensor, ...]]


class Graph:
    """A function recorded with buffers of its own for what goes in; what comes out stays in place, too."""

    def __init__(self, function: Function, inputs: Sequence[Tensor], pool: Any = None) -> None:
        """Record ``function`` on tensors like ``inputs``.

        Args:
            function: without any synchronisation or copy to the host.
            inputs: on one CUDA device; these very buffers are read at every replay.
            pool: memory pool shared with other graphs, of which one runs at a time and whose outputs
                are read before another one runs.
        """
        self.inputs = tuple(inputs)
        stream: torch.cuda.Stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]  # torch types it not
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(_WARM_UP_CALLS):
                function(*self.inputs)
        torch.cuda.current_stream().wait_stream(stream)
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph, pool=pool):
            self.outputs = function(*self.inputs)

    def replay(self) -> None:
        """Run on what the input buffers hold now."""
        self._graph.replay()

    def __call__(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """Copy ``inputs`` into the buffers and replay; outputs are valid until the next replay."""
        for buffer, value in zip(self.inputs, inputs, strict=True):
            buffer.copy_(value, non_blocking=True)
        self._graph.replay()
        return self.outputs


class GraphCache:
    """Records a function for every set of shapes that comes twice; runs it plainly before, and on a CPU."""

    def __init__(self, function: Function, device: torch.device, limit: int = 32) -> None:
        """Keep the graphs of the ``limit`` sets of shapes that were used last."""
        self._function = function
        self._enabled = device.type == "cuda"
        self._limit = limit
        self._seen: set[Hashable] = set()
        self._graphs: OrderedDict[Hashable, Graph] = OrderedDict()
        self._pool: Any = None

    def __call__(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """Outputs of the function, valid until the next call."""
        if not self._enabled:
            return self._function(*inputs)
        key = tuple(tuple(x.shape) for x in inputs)
        if key in self._graphs:
            self._graphs.move_to_end(key)
            return self._graphs[key](*inputs)
        if key not in self._seen:
            self._seen.add(key)
            return self._function(*inputs)
        graph = self._record(key, inputs)
        return self._function(*inputs) if graph is None else graph(*inputs)

    def close(self) -> None:
        """Give the graphs' memory back."""
        self._graphs.clear()
        self._pool = None

    def _record(self, key: Hashable, inputs: Sequence[Tensor]) -> Graph | None:
        if self._pool is None:
            self._pool = torch.cuda.graph_pool_handle()
        try:
            graph = Graph(self._function, [x.clone() for x in inputs], self._pool)
        except RuntimeError as error:  # what cannot be recorded still runs
            _log.warning("no CUDA graph, running without: %s", error)
            self._enabled = False
            return None
        self._graphs[key] = graph
        if len(self._graphs) > self._limit:
            self._graphs.popitem(last=False)
        return graph
