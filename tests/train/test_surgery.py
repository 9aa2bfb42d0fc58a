"""A changed model is near the one it was made of, and is a model like any other."""

from __future__ import annotations

import copy

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("parakeet_asr_tools")

from parakeet_asr.core.cache_aware import CacheAwareStream  # noqa: E402
from parakeet_asr.engines.pytorch.model.transducer import Transducer, load_transducer  # noqa: E402
from parakeet_asr.errors import ArchiveError, ConfigurationError  # noqa: E402
from parakeet_asr.loader import load_model  # noqa: E402
from parakeet_asr.nemo.archive import open_archive  # noqa: E402
from parakeet_asr.nemo.config import parse_config  # noqa: E402
from parakeet_asr.nemo.streaming import streaming_spec  # noqa: E402
from parakeet_asr.sources.audio_file import read_audio  # noqa: E402
from parakeet_asr_tools.cli import main  # noqa: E402
from parakeet_asr_tools.train.archive import from_archive  # noqa: E402
from parakeet_asr_tools.train.model import Teacher, Trainee  # noqa: E402
from parakeet_asr_tools.train.settings import Settings  # noqa: E402
from parakeet_asr_tools.train.surgery import (  # noqa: E402
    SPEECH_LOG_MEL_MEAN,
    SPEECH_LOG_MEL_STD,
    Changes,
    changed,
)


@pytest.fixture(scope="module")
def demo(root):
    with open_archive(root / "models" / "demo" / "demo.nemo") as archive:
        return archive.config, {name: value.clone() for name, value in archive.weights.items()}


def made(demo, changes: Changes, **preprocessor: object) -> Transducer:
    config, weights = demo
    config = {**config, "preprocessor": {**config["preprocessor"], **preprocessor}}
    config, weights = changed(config, weights, changes)
    return load_transducer(parse_config(config), weights)


@torch.no_grad()
def test_durations_are_taken_away_and_nothing_else(demo):
    before, after = made(demo, Changes()), made(demo, Changes(decoder="rnnt"))
    assert (before.config.kind, after.config.kind) == ("tdt", "rnnt")
    encoded, predicted = torch.randn(1, 5, 176), torch.randn(1, 3, 256)
    logits = before.joint(encoded, predicted)
    assert torch.equal(after.joint(encoded, predicted), logits[..., : logits.shape[-1] - 5])
    config, weights = changed(*demo, Changes(decoder="rnnt"))
    assert "tdt_durations" not in config["model_defaults"]
    assert config["loss"]["loss_name"] == "default"
    with pytest.raises(ConfigurationError, match="no TDT model can be made of it"):
        changed(config, weights, Changes(decoder="tdt"))


def test_what_came_in_stays_as_it_was(demo):
    config, weights = copy.deepcopy(demo[0]), dict(demo[1])
    changed(*demo, Changes(layers=(0, 5), decoder="rnnt", attention_contexts=((70, 6),)))
    assert demo[0] == config
    assert demo[1].keys() == weights.keys()
    assert all(demo[1][name] is value for name, value in weights.items())


@torch.no_grad()
def test_causal_subsampling_reads_the_same_a_frame_and_a_mel_later(demo):
    """Where padding plays no part: no biases, and silence around the sound."""
    config, weights = demo
    weights = {k: torch.zeros_like(v) if ".conv." in k and k.endswith("bias") and "pre_encode" in k else v
               for k, v in weights.items()}  # fmt: skip
    whole = made((config, weights), Changes(), normalize="NA").encoder.pre_encode
    causal = made(
        (config, weights), Changes(attention_contexts=((70, 6),)), normalize="NA"
    ).encoder.pre_encode
    sound = torch.zeros(1, 128, 400)
    sound[:, 32:96, 80:320] = torch.randn(1, 64, 240)
    length = torch.tensor([400])
    steps, _ = whole(sound, length)
    later, _ = causal(sound.roll((1, 1), (1, 2)), length)
    torch.testing.assert_close(later[:, 1:50], steps[:, :49], rtol=1e-4, atol=1e-4)
    assert steps.std() > 0.1


@torch.no_grad()
def test_the_statistics_of_speech_are_in_the_first_convolution(demo):
    whole, causal = made(demo, Changes()), made(demo, Changes(attention_contexts=((70, 6),)))
    assert causal.config.preprocessor.normalize == "none"
    heard = SPEECH_LOG_MEL_MEAN + SPEECH_LOG_MEL_STD * torch.randn(1, 1, 3, 3)
    normal = (heard - SPEECH_LOG_MEL_MEAN) / SPEECH_LOG_MEL_STD
    first, second = whole.encoder.pre_encode.conv[0], causal.encoder.pre_encode.conv[0]
    convolve = torch.nn.functional.conv2d
    torch.testing.assert_close(
        convolve(heard, second.weight, second.bias),
        convolve(normal, first.weight, first.bias),
        rtol=1e-4,
        atol=1e-4,
    )


@torch.no_grad()
def test_a_causal_convolution_reads_its_past_as_before(demo):
    """What lay in the future is gone: on sound that ends here, both are the same."""
    whole, causal = made(demo, Changes()), made(demo, Changes(attention_contexts=((70, 6),)))
    first, second = whole.encoder.layers[3].conv, causal.encoder.layers[3].conv
    x, valid = torch.randn(1, 30, 176), torch.ones(1, 30, dtype=torch.bool)
    for end in (1, 9, 30):
        expected = first(x[:, :end], valid[:, :end])[:, -1]
        torch.testing.assert_close(second(x, valid)[:, end - 1], expected, rtol=1e-4, atol=1e-5)


def test_several_contexts_are_there_to_choose_from(demo):
    config, _ = changed(*demo, Changes(attention_contexts=((70, 13), (70, 6))))
    encoder = parse_config(config).encoder
    assert encoder.attention_contexts_steps == ((70, 13), (70, 6))
    assert streaming_spec(encoder).kind == "cache_aware"
    with pytest.raises(ArchiveError, match="att_context_size"):
        changed(*demo, Changes(attention_contexts=((70, 5),)))
    with pytest.raises(ConfigurationError, match="from 0 to 11"):
        changed(*demo, Changes(layers=(12,)))


def test_each_batch_has_one_of_the_contexts(make_trainer, root, monkeypatch):
    """And the smaller one hears less: the loss of the same batch differs."""
    with open_archive(root / "models" / "demo" / "demo.nemo") as archive:
        origin = from_archive(archive, Changes(layers=(0,), attention_contexts=((14, 6), (14, 0))))
    trainer = make_trainer("contexts", origin=origin, steps=12, dropout=0.0, omega=0.0)
    seen = []
    forward = trainer.model.transducer.encoder.forward

    def watched(features, length, context=None):
        seen.append(context)
        return forward(features, length, context)

    monkeypatch.setattr(trainer.model.transducer.encoder, "forward", watched)
    trainer.run()
    assert set(seen) == {(14, 6), (14, 0)}
    features, length = torch.randn(1, 128, 200), torch.tensor([200])
    outputs = [forward(features, length, context)[0] for context in ((14, 6), (14, 0))]
    assert not torch.allclose(*outputs, atol=1e-3)
    torch.testing.assert_close(forward(features, length)[0], outputs[0])


def test_a_changed_model_is_trained_exported_and_streamed(root, utterances, tmp_path, capsys):
    """The command, and what a robot would run: stream and whole pass say the same."""
    samples, demo_file = (
        root / "examples" / "samples" / "manifest.jsonl",
        root / "models" / "demo" / "demo.nemo",
    )
    command = [
        "train", "--out", str(tmp_path / "out"), "--init", str(demo_file), "--train", str(samples),
        "--steps", "2", "--layers", "0,11", "--decoder", "rnnt", "--freeze", "decoder",
        "--batch-s", "6", "--device", "cpu", "--no-tensorboard", "--attention-context", "14,6",
    ]  # fmt: skip
    assert main([*command, "14,1"]) == 0
    archive, directory = tmp_path / "out" / "model.nemo", tmp_path / "model"
    assert main(["export", str(archive), str(directory), "--right-context", "1"]) == 0
    audio = read_audio(utterances[0].audio)
    with load_model(directory, threads=1, guard=None) as model:
        assert model.spec.decoder.kind == "rnnt"
        assert model.spec.encoder.streaming.right_context_steps == 1
        stream = CacheAwareStream(model.recognizer, lambda start, stop: audio[start:stop])
        stream.flush(len(audio))
        whole = model.transcribe(audio).tokens
        assert [token.id for token in stream.committed] == [token.id for token in whole]
        assert whole
    assert main([*command, "14"]) == 1
    assert "expected pairs as in 70,6" in capsys.readouterr().err


@pytest.mark.parametrize("part", ["encoder", "decoder"])
def test_what_is_frozen_stays_and_the_rest_learns(make_trainer, part):
    trainer = make_trainer(part, steps=3, freeze=part, learning_rate=1e-2)
    before = {name: value.clone() for name, value in trainer.weights().items()}
    trainer.run()
    after = trainer.weights()
    moved = {name.split(".")[0] for name in before if not torch.equal(before[name], after[name])}
    assert moved == {"encoder": {"decoder", "joint"}, "decoder": {"encoder"}}[part]


def test_a_whole_context_teacher_is_one_step_ahead_of_a_causal_model(demo):
    """And may read other features; where one of both has no step, nothing is compared."""
    settings = Settings(teacher_weight=1.0)
    causal = Trainee(made(demo, Changes(attention_contexts=((70, 6),))), settings)
    teacher = Teacher(made(demo, Changes()))
    ideal, steps = torch.randn(2, 11, 256), torch.tensor([11, 6])
    late = torch.nn.functional.pad(ideal, (0, 0, 1, 0))
    late[1, 7:] = 100.0
    assert causal._distance(late, steps + 1, (ideal, steps), teacher) == 0
    assert causal._distance(late, steps, (ideal, steps), teacher) == 0
    assert causal._distance(ideal, steps, (ideal, steps), teacher) > 0.5
    other = Trainee(made(demo, Changes(layers=(0, 1))), settings)
    assert other._distance(ideal, steps, (ideal, steps), teacher) == 0
