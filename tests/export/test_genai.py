"""The bundle for ONNX Runtime GenAI: its files, its graphs, and who hears the same with it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
ort = pytest.importorskip("onnxruntime")

from parakeet_asr.engines.pytorch.model.transducer import Transducer, load_transducer  # noqa: E402
from parakeet_asr.errors import ConfigurationError, EngineError, ModelContractError  # noqa: E402
from parakeet_asr.loader import Model, load_model  # noqa: E402
from parakeet_asr.model_directory import read_model_directory  # noqa: E402
from parakeet_asr.nemo.archive import open_archive  # noqa: E402
from parakeet_asr.nemo.config import parse_config  # noqa: E402
from parakeet_asr.sources.audio_file import read_audio  # noqa: E402
from parakeet_asr_tools.benchmark.accuracy import agreement  # noqa: E402
from parakeet_asr_tools.cli import main  # noqa: E402
from parakeet_asr_tools.genai.baseline import Baseline  # noqa: E402
from parakeet_asr_tools.genai.runtime import GenaiModel  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = ROOT / "examples" / "samples"
FILES = {
    "encoder.onnx", "decoder.onnx", "joint.onnx", "genai_config.json", "audio_processor_config.json",
    "tokenizer.json", "tokenizer_config.json", "vocab.txt", "tokenizer.model", "model.json", "README.md",
}  # fmt: skip


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo model's."""
    out = tmp_path_factory.mktemp("genai") / "demo"
    assert main(["export", str(ROOT / "models/demo/demo.nemo"), str(out), "--format", "genai"]) == 0
    return out


@pytest.fixture(scope="module")
def model(bundle: Path) -> Model:
    return load_model(bundle, threads=1, guard=None)


@pytest.fixture(scope="module")
def expected() -> dict[str, list[int]]:
    """NeMo's token ids of the samples."""
    rows = (ROOT / "tests/data/nemo_tokens_samples.jsonl").read_text("utf-8").splitlines()
    return {row["audio"]: row["ids"] for row in map(json.loads, rows)}


def reference(archive: Path) -> Transducer:
    with open_archive(archive) as opened:
        weights = {name: tensor.clone() for name, tensor in opened.weights.items()}
        return load_transducer(parse_config(opened.config), weights)


def export(archive: Path, out: Path) -> Path:
    assert main(["export", str(archive), str(out), "--format", "genai"]) == 0
    return out


def test_files_and_configuration(tiny_archive: Callable[..., Path], tmp_path: Path) -> None:
    out = export(tiny_archive(durations=(0, 1, 2, 4)), tmp_path / "out")
    assert {path.name for path in out.iterdir()} == FILES
    spec = read_model_directory(out)
    assert set(spec.files) == FILES - {"model.json", "README.md"}
    config = json.loads((out / "genai_config.json").read_text("utf-8"))["model"]
    assert config["type"] == "parakeet_tdt"
    assert config["tdt_durations"] == [0, 1, 2, 4]
    assert (config["vocab_size"], config["blank_id"], config["eos_token_id"]) == (25, 24, [24])
    for part, graph in (("encoder", "encoder"), ("decoder", "decoder"), ("joiner", "joint")):
        assert config[part]["filename"] == f"{graph}.onnx"
        assert set(config[part]["inputs"].values()) == set(spec.graphs[graph].inputs)
        assert set(config[part]["outputs"].values()) == set(spec.graphs[graph].outputs)
    audio = json.loads((out / "audio_processor_config.json").read_text("utf-8"))
    assert (audio["sampling_rate"], audio["feature_size"], audio["n_fft"]) == (16000, 40, 512)
    lines = (out / "vocab.txt").read_text("utf-8").splitlines()
    assert len(lines) == 25
    assert (lines[0], lines[-1]) == ("<unk> 0", "<blk> 24")


def test_decoder_and_joint_are_those_of_the_model(tiny_archive: Callable[..., Path], tmp_path: Path) -> None:
    archive = tiny_archive()
    out, model = export(archive, tmp_path / "out"), reference(archive)
    random = np.random.default_rng(0)
    tokens = np.array([[24, 3, 17], [5, 5, 0]])
    hidden, cell = random.standard_normal((2, 2, 2, 20)).astype(np.float32)
    session = ort.InferenceSession(str(out / "decoder.onnx"))
    feeds = {"targets": tokens, "target_length": np.array([3, 3]), "h_in": hidden, "c_in": cell}
    outputs, lengths, h_out, c_out = session.run(["outputs", "prednet_lengths", "h_out", "c_out"], feeds)
    h, c = torch.from_numpy(hidden), torch.from_numpy(cell)
    model.decoder.embedding.weight[24] = 0.0
    for u in range(3):
        step, h, c = model.decoder(torch.from_numpy(tokens[:, u].copy()), h, c)
        np.testing.assert_allclose(outputs[:, :, u], step.numpy(), atol=1e-5)
    np.testing.assert_allclose(h_out, h.numpy(), atol=1e-5)
    np.testing.assert_allclose(c_out, c.numpy(), atol=1e-5)
    assert lengths.tolist() == [3, 3]
    steps = random.standard_normal((2, 4, 32)).astype(np.float32)
    predicted = np.ascontiguousarray(outputs.transpose(0, 2, 1))
    joint = ort.InferenceSession(str(out / "joint.onnx"))
    (logits,) = joint.run(["outputs"], {"encoder_outputs": steps, "decoder_outputs": predicted})
    assert logits.shape == (2, 4, 3, 24 + 1 + 5)
    wanted = model.joint(torch.from_numpy(steps), torch.from_numpy(predicted))
    np.testing.assert_allclose(logits, wanted.numpy(), atol=1e-5)


def test_our_runtime_and_plain_numpy_have_nemos_tokens(
    model: Model, bundle: Path, expected: dict[str, list[int]]
) -> None:
    baseline = Baseline(bundle)
    audio = [read_audio(SAMPLES / name) for name in expected]
    heard = [[token.id for token in result.tokens] for result in model.transcribe(audio)]
    plain = [baseline.tokens(model.recognizer.features.extract(samples)) for samples in audio]
    assert heard == plain == list(expected.values())


def test_a_stream_of_the_bundle_ends_with_the_offline_answer(model: Model) -> None:
    """Whole utterances through the session: states are carried from window to window."""
    samples = np.concatenate([read_audio(SAMPLES / "synth-a-010.flac"), np.zeros(16000, np.float32)])
    offline = load_model("demo", threads=1, guard=None)
    assert model.transcribe(samples).token_ids == offline.transcribe(samples).token_ids
    encoded = model.recognizer.encode([samples])
    half = int(encoded.lengths[0]) // 2
    whole = model.recognizer.decode(encoded)[0].tokens
    first = model.recognizer.decode(type(encoded)(encoded.projected[:, :half], np.array([half])))[0]
    rest = type(encoded)(encoded.projected[:, half:], encoded.lengths - half)
    second = model.recognizer.decode(rest, [first.state])[0]
    assert first.tokens + second.tokens == whole


def test_genai_itself_hears_the_samples(bundle: Path, model: Model, expected: dict[str, list[int]]) -> None:
    """Its features differ in the last digits, and a blank of duration 0 takes its next best duration."""
    pytest.importorskip("onnxruntime_genai", reason="ONNX Runtime GenAI is not installed: make setup")
    genai = GenaiModel(bundle)
    heard = [genai.transcribe(SAMPLES / name) for name in expected]
    agreed = agreement(list(expected.values()), [one.token_ids for one in heard])
    assert agreed.token_error_rate < 0.03
    assert agreed.equal_utterances >= 10
    import sentencepiece

    processor = sentencepiece.SentencePieceProcessor(model_file=str(bundle / "tokenizer.model"))
    assert [one.text for one in heard] == [processor.decode(list(one.token_ids)) for one in heard]


def test_an_optimized_bundle_runs_everywhere(bundle: Path, tmp_path: Path) -> None:
    out = tmp_path / "int4"
    assert main(["optimize", str(bundle), str(out)]) == 0
    assert {path.name for path in out.iterdir()} == FILES | {"optimize_report.json"}
    assert (out / "encoder.onnx").stat().st_size < 0.25 * (bundle / "encoder.onnx").stat().st_size
    name = "synth-a-010.flac"
    with load_model(out, threads=1, guard=None) as ours:
        heard = ours.transcribe(SAMPLES / name)
        plain = Baseline(out).tokens(ours.recognizer.features.extract(read_audio(SAMPLES / name)))
    assert heard.text.startswith("Remind me in thirty minutes")  # INT4 costs the demo a name
    assert [token.id for token in heard.tokens] == plain
    pytest.importorskip("onnxruntime_genai", reason="ONNX Runtime GenAI is not installed: make setup")
    assert GenaiModel(out).transcribe(SAMPLES / name).text == heard.text


def test_models_that_genai_cannot_run_are_refused(
    tiny_archive: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    archive = tiny_archive(durations=())
    assert main(["export", str(archive), str(tmp_path / "out"), "--format", "genai"]) == 1
    assert "a GenAI bundle needs a tdt decoder" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda g: g["decoder"]["inputs"].pop("h_in"), r"graphs.decoder.inputs: expected .*h_in"),
        (
            lambda g: g["joint"]["outputs"]["outputs"].update(shape=["batch", "T", "U", 7]),
            r"expected float32",
        ),
        (lambda g: g.pop("joint"), r"a graph named 'joint'"),
    ],
)
def test_the_contract_of_split_graphs_is_held(
    change: Callable[[Any], None],
    message: str,
    tiny_archive: Callable[..., Path],
    tmp_path: Path,
) -> None:
    out = export(tiny_archive(), tmp_path / "out")
    data = json.loads((out / "model.json").read_text("utf-8"))
    change(data["graphs"])
    (out / "model.json").write_text(json.dumps(data), "utf-8")
    with pytest.raises(ModelContractError, match=message):
        read_model_directory(out)


def test_engine_trt_refuses_a_bundle(tiny_archive: Callable[..., Path], tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="this is a GenAI bundle"):
        load_model(export(tiny_archive(), tmp_path / "out"), engine="trt")


def test_a_closed_engine_says_so(tiny_archive: Callable[..., Path], tmp_path: Path) -> None:
    model = load_model(export(tiny_archive(), tmp_path / "out"), threads=1, guard=None)
    model.close()
    with pytest.raises(EngineError, match="closed"):
        model.warm_up()
