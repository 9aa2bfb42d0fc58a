"""Every test gets a ROS graph of its own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest


@pytest.fixture
def graph() -> Iterator[Any]:
    """An empty graph, in a domain of its own."""
    from harness import Graph

    graph = Graph()
    yield graph
    graph.close()
