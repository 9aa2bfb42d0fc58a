"""The node serves the small model by name, and RNNT models with caches, like the demo model."""

from __future__ import annotations

from harness import Ears, Graph, Speaker, sample, start
from made_models import cache_aware_model


def hear(graph: Graph, model: str) -> Ears:
    """Say one sample to a recognizer with this model."""
    ears, speaker = Ears(graph.node("ears")), Speaker(graph)
    start(graph.recognizer(model=model))
    speaker.wait_for_listener()
    speaker.say("synth-a-135")
    graph.spin_until(lambda: ears.finals, "a final transcript")
    return ears


def test_tiny(graph: Graph) -> None:
    (final,) = hear(graph, "tiny").finals
    assert final.text == sample("synth-a-135").text


def test_cache_aware_rnnt(graph: Graph) -> None:
    """Random weights: what it says means nothing, but it says it, in partials and a final."""
    ears = hear(graph, str(cache_aware_model("rnnt")))
    (final,) = ears.finals
    assert final.is_final
    assert ears.partials
