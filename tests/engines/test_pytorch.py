"""Engine torch: a .nemo as it is, with the tokens of engine ort, on the device's way and on the host's."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra torch is not installed")
yaml = pytest.importorskip("yaml")

from made_models import cache_aware_archive, cache_aware_model, speech  # noqa: E402
from parakeet_asr.cli.main import main  # noqa: E402
from parakeet_asr.core.cache_aware import CacheAwareStream  # noqa: E402
from parakeet_asr.core.decoding import GreedyDecoder  # noqa: E402
from parakeet_asr.core.engine import AudioDecoder, EncoderOutput  # noqa: E402
from parakeet_asr.core.features import FeatureExtractor  # noqa: E402
from parakeet_asr.core.model_spec import FeatureSpec  # noqa: E402
from parakeet_asr.engines.pytorch import label_looping  # noqa: E402
from parakeet_asr.engines.pytorch.engine import TorchEngine  # noqa: E402
from parakeet_asr.engines.pytorch.features import LogMelFeatures  # noqa: E402
from parakeet_asr.engines.pytorch.label_looping import BatchDecoder  # noqa: E402
from parakeet_asr.errors import ArchiveError, ConfigurationError, EngineError  # noqa: E402
from parakeet_asr.loader import Model, load_model  # noqa: E402
from parakeet_asr.nemo import archive  # noqa: E402
from parakeet_asr.records import FloatArray, Token  # noqa: E402
from parakeet_asr.sources.audio_file import read_audio  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
ARCHIVE = ROOT / "models" / "demo" / "demo.nemo"
SAMPLES = ROOT / "examples" / "samples"
SPEC = FeatureSpec("nemo", 80, "per_feature")


@pytest.fixture(scope="module")
def model() -> Iterator[Model]:
    with load_model(ARCHIVE, device="cpu", threads=1, guard=None) as loaded:
        yield loaded


def known() -> list[tuple[FloatArray, list[int], str]]:
    """Samples, NeMo's token ids and text."""
    rows = (ROOT / "tests/data/nemo_tokens_samples.jsonl").read_text(encoding="utf-8").splitlines()
    return [(read_audio(SAMPLES / row["audio"]), row["ids"], row["text"]) for row in map(json.loads, rows)]


def key(tokens: Sequence[Token]) -> list[tuple[int, int, int]]:
    return [(t.id, t.start_step, t.duration_steps) for t in tokens]


def test_a_batch_and_each_alone_give_the_tokens_of_nemo(model: Model) -> None:
    expected = known()
    for heard, (samples, ids, text) in zip(
        model.transcribe([s for s, _, _ in expected]), expected, strict=True
    ):
        assert heard.token_ids == ids
        assert heard.text == text
        assert model.transcribe(samples).token_ids == ids


def test_the_way_over_the_host_gives_the_same_tokens_and_confidences(model: Model) -> None:
    recognizer = model.recognizer
    assert isinstance(recognizer.engine, AudioDecoder)
    audio = [samples for samples, _, _ in known()]
    there = recognizer.engine.decode_audio(audio)
    here = [one.tokens for one in recognizer.decode(recognizer.encode(audio))]
    assert [key(tokens) for tokens in there] == [key(tokens) for tokens in here]
    for mine, other in zip(there, here, strict=True):
        np.testing.assert_allclose([t.confidence for t in mine], [t.confidence for t in other], atol=1e-4)


def streamed(model: Model, audio: FloatArray) -> tuple[Token, ...]:
    stream = CacheAwareStream(model.recognizer, lambda start, stop: audio[start:stop])
    stream.advance(len(audio) // 2)
    stream.flush(len(audio))
    return stream.committed


def test_phrases_go_over_the_host(model: Model) -> None:
    with load_model("demo", threads=1, guard=None) as ort:
        for one in (model, ort):
            one.recognizer.set_phrases(["forem"])
        try:
            boosted = [one.transcribe(speech()[:100_000]).tokens for one in (model, ort)]
        finally:
            model.recognizer.set_phrases([])
        assert key(boosted[0]) == key(boosted[1])


@pytest.mark.parametrize("decoder", ["tdt", "rnnt"])
def test_cache_aware_models_stream_as_engine_ort_does(decoder: str) -> None:
    with (
        load_model(cache_aware_archive(decoder), device="cpu", threads=1, guard=None) as torch_model,
        load_model(cache_aware_model(decoder), threads=1, guard=None) as ort,
    ):
        audio = speech()[:64_000]
        assert key(torch_model.transcribe(audio).tokens) == key(ort.transcribe(audio).tokens)
        assert key(streamed(torch_model, audio)) == key(streamed(ort, audio))


@pytest.mark.parametrize("decoder", ["tdt", "rnnt"])
@pytest.mark.parametrize("loudness", [0.0, 0.7])
def test_label_looping_is_the_core_s_for_any_network(
    decoder: str, loudness: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Random networks emit more, also several tokens at a step until they must stop, and fill a round."""
    from parakeet_asr.nemo.config import parse_config
    from parakeet_asr_tools.making.presets import Preset, model_config
    from parakeet_asr_tools.making.random_model import random_transducer

    monkeypatch.setattr(label_looping, "_TOKENS_PER_ROUND", 7)
    preset = Preset(1, 16, 2, 8, 20, 24, 30, mels=16)
    config = model_config(preset, decoder, [str(i) for i in range(30)], {"model_path": "t"})  # type: ignore[arg-type]
    network = random_transducer(parse_config(config), seed=3)
    network.joint.output.bias[30] += loudness  # the blank's
    torch.set_num_threads(1)
    engine = TorchEngine(network)
    generator = np.random.default_rng(0)
    projected = generator.standard_normal((5, 60, 24)).astype(np.float32)
    lengths = np.array([60, 1, 33, 59, 8])
    with torch.inference_mode():
        decoder_there = BatchDecoder(network, engine.spec.decoder, torch.device("cpu"))
        there = decoder_there.decode(torch.from_numpy(projected), torch.from_numpy(lengths))
        again = decoder_there.decode(torch.from_numpy(projected[:2]), torch.from_numpy(lengths[:2]))
    here = [one.tokens for one in GreedyDecoder(engine).decode(EncoderOutput(projected, lengths))]
    assert [key(tokens) for tokens in there] == [key(tokens) for tokens in here]
    assert [key(tokens) for tokens in again] == [key(tokens) for tokens in here[:2]]
    assert max(map(len, here)) > (14 if loudness == 0.0 else 0)  # more than two rounds


@pytest.mark.parametrize("normalize", ["per_feature", "none"])
def test_features_of_a_batch_are_the_core_s(normalize: str) -> None:
    spec = FeatureSpec("nemo", 80, normalize)  # type: ignore[arg-type]
    sounds = [speech()[:40_000], speech()[50_000:61_234], np.zeros(16_000, np.float32), speech()[:170]]
    samples = np.full((4, 40_000), 0.3, np.float32)  # what lies behind a signal must not matter
    for row, sound in enumerate(sounds):
        samples[row, : len(sound)] = sound
    lengths = torch.tensor([len(sound) for sound in sounds])
    features, frames = LogMelFeatures(spec)(torch.from_numpy(samples), lengths)
    for row, sound in enumerate(sounds):
        expected = FeatureExtractor(spec).extract(sound)
        assert int(frames[row]) == expected.shape[1]
        np.testing.assert_allclose(features[row, :, : expected.shape[1]], expected, atol=2e-3)
        assert not features[row, :, expected.shape[1] :].any()


def test_samples_that_are_no_sound_hurt_only_themselves(model: Model) -> None:
    samples, ids, _ = known()[0]
    spoilt = np.concatenate((samples, np.full(100, np.nan, np.float32)))
    assert model.transcribe(spoilt).token_ids == ids


def test_what_cannot_be_run_is_answered_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ArchiveError, match="no such file"):
        load_model(tmp_path / "missing.nemo")
    with pytest.raises(ConfigurationError, match=r"runs a \.nemo file"):
        load_model("demo", engine="torch")
    with pytest.raises(ConfigurationError, match="precision"):
        load_model("demo", engine="ort", precision="float16")
    with pytest.raises(ConfigurationError, match="precision: expected one of"):
        load_model(ARCHIVE, precision="float8")  # type: ignore[arg-type]
    if not torch.cuda.is_available():
        with pytest.raises(EngineError, match="sees no CUDA device"):
            load_model(ARCHIVE, device="cuda")


def test_a_closed_engine_says_so() -> None:
    with load_model(ARCHIVE, device="cpu") as model:
        pass
    with pytest.raises(EngineError, match="was closed"):
        model.transcribe(np.zeros(16_000, np.float32))


def test_wrong_shapes_are_an_engine_error(model: Model) -> None:
    with pytest.raises(EngineError, match="PyTorch failed"):
        model.recognizer.engine.encode(np.zeros((1, 7, 100), np.float32), np.array([100]))


def test_the_command_line_takes_an_archive(capsys: pytest.CaptureFixture[str]) -> None:
    sample = SAMPLES / "synth-a-135.flac"
    assert (
        main(["transcribe", "--model", str(ARCHIVE), "--engine-device", "cpu", "--threads", "1", str(sample)])
        == 0
    )
    assert capsys.readouterr().out == "Go to room forty ninety.\n"


def test_loading_draws_no_random_weights_and_pulls_no_compiler_in() -> None:
    """Initialisation on the meta device imports 800 modules of PyTorch: a second or more of a cold start."""
    code = f"""
import sys
from pathlib import Path
from parakeet_asr.engines.pytorch.loading import load_archive
before = set(sys.modules)
load_archive(Path({str(ARCHIVE)!r}), "cpu", "float32", 1)
more = {{name for name in set(sys.modules) - before if name.startswith("torch.")}}
assert len(more) < 100, (len(more), sorted(more)[:20])
"""
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("loader", ["CSafeLoader", "SafeLoader"])
def test_a_configuration_that_nests_too_deeply_or_names_objects_is_refused(
    loader: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if loader == "SafeLoader":
        monkeypatch.delattr(yaml, "CSafeLoader", raising=False)  # as in a build without libyaml
    for text in (b"[" * 200_000, b"{a: " * 5_000, b"a: !!python/object/apply:os.getcwd []"):
        with pytest.raises(ArchiveError, match="not plain YAML"):
            archive._parse_config(Path("x.nemo"), text)
    assert archive._parse_config(Path("x.nemo"), b"labels: [a, 'b', \xe2\x96\x81c]")["labels"][2] == "\u2581c"
