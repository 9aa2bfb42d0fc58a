"""Training itself: it learns, it goes on to the bit, and what it writes is a model like any other."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("parakeet_asr_tools")
pytest.importorskip("onnxruntime")

from parakeet_asr.errors import ConfigurationError  # noqa: E402
from parakeet_asr.loader import load_model  # noqa: E402
from parakeet_asr.nemo.archive import open_archive  # noqa: E402
from parakeet_asr_tools.cli import main  # noqa: E402
from parakeet_asr_tools.making.presets import Preset  # noqa: E402
from parakeet_asr_tools.train.archive import from_archive  # noqa: E402
from parakeet_asr_tools.train.augmentation import Augmentation  # noqa: E402
from parakeet_asr_tools.train.settings import Settings  # noqa: E402
from parakeet_asr_tools.train.surgery import Changes  # noqa: E402
from parakeet_asr_tools.train.trainer import Observer  # noqa: E402

SMALL = Preset(2, 96, 4, 16, 64, 96, 64, mels=64, predictor_layers=1)
"""Learns ten utterances in about 15 s of one core."""


class Memory(Observer):
    def __init__(self) -> None:
        self.losses: list[float] = []

    def step(self, step, losses, learning_rate, gradient_norm) -> None:
        self.losses.append(losses["total"])


def test_ten_utterances_are_learnt_and_recognized_by_the_runtime(
    make_trainer, make_origin, utterances, tmp_path
):
    """From random weights to the words of ten samples; then archive, export and the runtime's own answer."""
    trainer = make_trainer(
        "learnt", origin=make_origin(SMALL), rows=10, steps=90, batch_s=60.0, learning_rate=4e-3,
        warmup_steps=20, dropout=0.0, ctc_weight=0.3, ema_decay=0.9, omega=0.0, checkpoint_every=1000,
        augmentation=Augmentation.none(),
    )  # fmt: skip
    memory = Memory()
    trainer.observer = memory
    trainer.run()
    assert memory.losses[-1] < 0.05 * memory.losses[0]
    archive = trainer.write()
    assert main(["export", str(archive), str(tmp_path / "model")]) == 0
    with load_model(tmp_path / "model", threads=1, guard=None) as model:
        heard = model.transcribe([str(row.audio) for row in utterances])
    assert [one.text for one in heard] == [row.text for row in utterances]
    (found,) = {score.errors for score in trainer.evaluate().values()}
    assert found == 0


@pytest.mark.parametrize("decoder", ["tdt", "rnnt"])
def test_stopped_and_resumed_it_is_the_same_training(make_trainer, make_origin, decoder):
    """With everything that is drawn: order, speed, noise, masks, dropout, the choice of the loss."""
    options = {"omega": 0.5, "ctc_weight": 0.1, "dropout": 0.2}
    straight = make_trainer("straight", origin=make_origin(decoder=decoder), **options)
    straight.run()
    stopped = make_trainer("stopped", origin=make_origin(decoder=decoder), **options)
    stopped.run(stop_after=3)
    assert stopped.steps_done == 3
    again = make_trainer("stopped", origin=make_origin(decoder=decoder, seed=9), **options)
    again.resume()
    again.run()
    assert again.steps_done == straight.steps_done == 6
    for name, value in straight.weights().items():
        assert torch.equal(value, again.weights()[name]), name
    assert not torch.equal(straight.weights()["joint.enc.weight"], stopped.weights()["joint.enc.weight"])


def test_a_checkpoint_of_another_training_is_refused(make_trainer):
    make_trainer("one", steps=1).run()
    with pytest.raises(ConfigurationError, match="other settings or utterances"):
        make_trainer("one", steps=1, learning_rate=5e-4).resume()
    with pytest.raises(ConfigurationError, match="expected a checkpoint"):
        make_trainer("none").resume()


def test_layers_are_picked_and_the_rest_stays(root):
    with open_archive(root / "models" / "demo" / "demo.nemo") as archive:
        origin, whole = from_archive(archive, Changes(layers=(0, 11))), from_archive(archive)
        with pytest.raises(ConfigurationError, match="from 0 to 11"):
            from_archive(archive, Changes(layers=(12,)))
    ours, theirs = origin.transducer.state_dict(), whole.transducer.state_dict()
    assert origin.transducer.config.encoder.layers == 2
    last = "feed_forward2.linear2.weight"
    assert torch.equal(ours[f"encoder.layers.1.{last}"], theirs[f"encoder.layers.11.{last}"])
    assert torch.equal(ours["joint.pred.weight"], theirs["joint.pred.weight"])


def test_a_teacher_draws_the_encoder_near(make_trainer, make_origin):
    teacher = make_origin(seed=5).transducer
    trainer = make_trainer("taught", steps=12, teacher_weight=20.0, learning_rate=3e-3,
                           augmentation=Augmentation.none())  # fmt: skip
    trainer._teacher = trainer._prepared(teacher)
    distances: list[float] = []
    trainer.observer = type(
        "Distances", (Observer,), {"step": lambda _, step, losses, *__: distances.append(losses["teacher"])}
    )()
    trainer.run()
    assert distances[-1] < 0.8 * distances[0]
    with pytest.raises(ConfigurationError, match="teacher: expected a joint network as wide"):
        trainer._prepared(make_origin(SMALL).transducer)


def test_large_lattices_are_joined_in_parts_with_the_same_gradient(make_trainer):
    gradients = []
    for cells in (10**9, 1):
        trainer = make_trainer(f"cells{cells}", steps=1, joint_cells=cells, dropout=0.0, omega=0.0)
        trainer.run()
        gradients.append(trainer.model.transducer.joint.output.weight.grad.clone())
    torch.testing.assert_close(gradients[0], gradients[1], rtol=1e-4, atol=1e-6)


def test_frozen_norms_and_bfloat16(make_trainer):
    trainer = make_trainer("frozen", steps=2, freeze_norm=True, precision="bfloat16")
    name = "transducer.encoder.layers.0.conv.batch_norm.running_mean"
    before = trainer.model.state_dict()[name].clone()
    trainer.run()
    assert torch.equal(before, trainer.model.state_dict()[name])
    assert trainer.skipped == 0


def test_an_evaluation_wakes_nothing_up(make_trainer):
    """Not the dropout of what is frozen, nor norms whose statistics are to stay."""
    weights = []
    for eval_every in (2, 0):
        trainer = make_trainer(
            f"every{eval_every}",
            steps=6,
            eval_every=eval_every,
            freeze="decoder",
            freeze_norm=True,
            omega=0.0,
        )
        trainer.run()
        assert trainer.model.training
        assert not trainer.model.transducer.joint.training
        assert not trainer.model.transducer.encoder.layers[0].conv.batch_norm.training
        weights.append(trainer.weights())
    for name, value in weights[0].items():
        assert torch.equal(value, weights[1][name]), name


def test_a_text_that_the_tokenizer_cannot_write_is_named(make_trainer, utterances, monkeypatch):
    import dataclasses

    from parakeet_asr_tools.train.trainer import Data, Trainer

    strange = dataclasses.replace(utterances[0], text="\u00fcber")
    first = make_trainer("first")
    with pytest.raises(ConfigurationError, match="cannot write all of"):
        Trainer(first._origin, Data([strange]), Settings(), first.folder)


def test_schedules():
    cosine = Settings(steps=100, warmup_steps=10, learning_rate=1.0, final_share=0.1)
    assert cosine.learning_rate_at(0) == pytest.approx(0.1)
    assert max(map(cosine.learning_rate_at, range(100))) == cosine.learning_rate_at(10) == 1.0
    assert cosine.learning_rate_at(100) == pytest.approx(0.1)
    noam = Settings(steps=1000, warmup_steps=100, learning_rate=0.5, schedule="noam")
    assert noam.learning_rate_at(99) == 0.5
    assert noam.learning_rate_at(399) == pytest.approx(0.25)
    with pytest.raises(ConfigurationError, match="dropout: expected at least 0 and at most 0.9"):
        Settings(dropout=1.0)


def test_the_command_trains_evaluates_resumes_and_writes(root, tmp_path, capsys):
    """The words of the manual, on the smallest model there is, with TensorBoard."""
    pytest.importorskip("tensorboard")
    samples = root / "examples" / "samples" / "manifest.jsonl"
    rows = [json.loads(line) for line in samples.read_text().splitlines()][:2]
    manifest = tmp_path / "two.jsonl"
    manifest.write_text(
        "".join(json.dumps({**r, "audio": str(samples.parent / r["audio"])}) + "\n" for r in rows)
    )
    out = tmp_path / "out"
    command = ["train", "--out", str(out), "--train", f"{manifest}:2", "--evaluate", str(manifest),
               "--preset", "cache-aware", "--decoder", "rnnt", "--tokenizer", "40", "--batch-s", "8",
               "--device", "cpu", "--log-every", "1", "--augment", "babble=0.5,noise=0"]  # fmt: skip
    assert main([*command, "--steps", "2"]) == 0
    shown = capsys.readouterr()
    assert "step 2" in shown.err
    assert "word error rate" in shown.out
    assert list((out / "tensorboard").iterdir())
    log = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    assert [row["step"] for row in log if "losses" in row] == [1, 2]
    assert np.isfinite(log[1]["losses"]["total"])
    with open_archive(out / "model.nemo") as archive:
        assert archive.config["encoder"]["att_context_style"] == "chunked_limited"
    assert main([*command, "--steps", "2", "--resume"]) == 0
    assert main([*command, "--augment", "loudness=1"]) == 1
    assert "--augment: expected none or NAME=NUMBER" in capsys.readouterr().err


def test_blend(make_trainer, tmp_path):
    trainer = make_trainer("blended", steps=3, learning_rate=1e-2)
    before = trainer.write().rename(tmp_path / "before.nemo")
    trainer.run()
    after = trainer.write()
    out = tmp_path / "between.nemo"
    assert main(["blend", str(before), str(after), str(out), "--share", "0.25"]) == 0
    with open_archive(before) as a, open_archive(after) as b, open_archive(out) as c:
        name = "joint.enc.weight"
        expected = 0.75 * a.weights[name] + 0.25 * b.weights[name]
        torch.testing.assert_close(c.weights[name], expected)
        assert not torch.equal(a.weights[name], c.weights[name])
    assert main(["blend", str(before), str(after), str(out), "--share", "2"]) == 1
    other = Path(__file__).resolve().parents[2] / "models" / "demo" / "demo.nemo"
    assert main(["blend", str(other), str(after), str(out)]) == 1
