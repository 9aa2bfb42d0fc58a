"""The GenAI bundle on all recordings: plain numpy and our runtime have NeMo's tokens, GenAI nearly all."""

from __future__ import annotations

import pytest

from parakeet_asr.loader import load_model
from parakeet_asr.sources.audio_file import read_audio

pytest.importorskip("torch")

from parakeet_asr_tools.benchmark.accuracy import agreement
from parakeet_asr_tools.cli import main
from parakeet_asr_tools.genai.baseline import Baseline
from parakeet_asr_tools.genai.runtime import GenaiModel

pytestmark = pytest.mark.parity


@pytest.fixture(scope="module")
def bundle(root, tmp_path_factory):
    out = tmp_path_factory.mktemp("genai") / "demo"
    assert main(["export", str(root / "models/demo/demo.nemo"), str(out), "--format", "genai"]) == 0
    return out


def test_every_utterance_has_nemos_tokens(bundle, speech, golden_tokens, root):
    expected = golden_tokens(root.parent / "shared" / "golden" / "nemo_tokens.jsonl")
    baseline = Baseline(bundle)
    with load_model(bundle, threads=1, guard=None) as model:
        for name, path in speech.items():
            samples = read_audio(path)
            assert model.transcribe(samples).token_ids == expected[name], name
            assert baseline.tokens(model.recognizer.features.extract(samples)) == expected[name], name


def test_genai_hears_nearly_the_same(bundle, speech, golden_tokens, root):
    pytest.importorskip("onnxruntime_genai")
    expected = golden_tokens(root.parent / "shared" / "golden" / "nemo_tokens.jsonl")
    genai = GenaiModel(bundle)
    heard = [genai.transcribe(path).token_ids for path in speech.values()]
    agreed = agreement([expected[name] for name in speech], heard)
    assert agreed.token_error_rate < 0.03
