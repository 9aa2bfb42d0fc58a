"""Token for token what NeMo's ``greedy_batch`` gave for the demo model; kept as data: no NeMo is needed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from parakeet_asr.sources.audio_file import read_audio

ROOT = Path(__file__).resolve().parents[2]
KEPT = ROOT / "tests" / "data" / "nemo_tokens_samples.jsonl"
SHARED = ROOT.parent / "shared" / "golden" / "nemo_tokens.jsonl"
BATCHES = (1, 16)


@pytest.mark.parametrize("batch", BATCHES)
def test_samples_have_nemos_tokens(model, samples, golden_tokens, batch):
    expected = golden_tokens(KEPT)
    assert list(expected) == list(samples)
    assert decode(model, samples, batch) == expected


@pytest.mark.parametrize("batch", BATCHES)
def test_every_shared_utterance_has_nemos_tokens(model, speech, golden_tokens, batch):
    expected = golden_tokens(SHARED)
    assert list(expected) == list(speech)
    found = decode(model, speech, batch)
    different = [name for name in expected if found[name] != expected[name]]
    assert not different, f"{len(different)} of {len(expected)} differ, the first: {different[:5]}"


def test_a_change_of_the_sound_changes_tokens(model, samples, golden_tokens):
    """The comparison can fail: played backwards, no sample keeps its tokens."""
    expected = golden_tokens(KEPT)
    backwards = [np.ascontiguousarray(read_audio(path)[::-1]) for path in samples.values()]
    for name, result in zip(samples, model.transcribe(backwards), strict=True):
        assert result.token_ids != expected[name]


def decode(model, utterances, batch: int) -> dict[str, list[int]]:
    """Token ids by name, each utterance in one pass of the encoder, ``batch`` of them at a time."""
    names, ids = list(utterances), {}
    for start in range(0, len(names), batch):
        group = names[start : start + batch]
        results = model.transcribe([read_audio(utterances[name]) for name in group])
        ids.update({name: result.token_ids for name, result in zip(group, results, strict=True)})
    return ids
