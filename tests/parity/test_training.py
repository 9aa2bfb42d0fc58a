"""Training against the original NeMo, run now: its losses, and whether it takes what training wrote."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.parity

torch = pytest.importorskip("torch")

SEED = 11  # not that of the stored numbers


@pytest.fixture(scope="module")
def losses(nemo_python: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, np.ndarray]:
    out = tmp_path_factory.mktemp("losses") / "losses.npz"
    script = Path(__file__).with_name("nemo_loss_reference.py")
    done = subprocess.run(
        [str(nemo_python), str(script), str(out), str(SEED)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"NeMo failed:\n{done.stderr[-3000:]}"
    return dict(np.load(out))


@pytest.mark.parametrize("kind", ["tdt", "rnnt", "rnnt_numba"])
def test_losses_and_gradients(losses: dict[str, np.ndarray], kind: str) -> None:
    from parakeet_asr_tools.train.loss import transducer_loss

    stored = {name: torch.from_numpy(value) for name, value in losses.items()}
    durations = (0, 1, 2, 3, 4) if kind == "tdt" else ()
    logits = stored[f"{kind}_logits"].requires_grad_()
    sigma = float(stored["sigma"]) if durations else 0.0
    loss = transducer_loss(logits, stored["targets"], stored["steps"], stored["tokens"], durations, sigma)
    (gradient,) = torch.autograd.grad(loss.sum(), logits)
    torch.testing.assert_close(loss, stored[f"{kind}_loss"], rtol=1e-5, atol=1e-4)
    torch.testing.assert_close(gradient, stored[f"{kind}_gradient"], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "changes",
    [
        {"layers": (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11)},
        {"decoder": "rnnt"},
        {"attention_contexts": ((70, 13), (70, 6))},
        {"decoder": "rnnt", "attention_contexts": ((70, 6),)},
    ],
    ids=["layers", "rnnt", "cache-aware", "cache-aware-rnnt"],
)
def test_nemo_restores_what_was_trained_and_has_our_tokens(
    nemo_decode, nemo_file, samples, tmp_path, changes
) -> None:
    """The demo model changed, trained until it says something again, in NeMo and in our runtime."""
    from parakeet_asr import load_model
    from parakeet_asr.nemo.archive import open_archive
    from parakeet_asr.sources.audio_file import read_audio
    from parakeet_asr_tools.onnx_export.model_directory import ExportOptions, export_model
    from parakeet_asr_tools.train.archive import from_archive
    from parakeet_asr_tools.train.augmentation import Augmentation
    from parakeet_asr_tools.train.manifest import read_manifest
    from parakeet_asr_tools.train.settings import Settings
    from parakeet_asr_tools.train.surgery import Changes
    from parakeet_asr_tools.train.trainer import Data, Trainer

    with open_archive(nemo_file) as archive:
        origin = from_archive(archive, Changes(**changes))
    rows = read_manifest(Path(__file__).resolve().parents[2] / "examples" / "samples" / "manifest.jsonl")[:4]
    settings = Settings(
        steps=30, batch_s=12.0, learning_rate=1e-3, warmup_steps=5, ema_decay=0.0, dropout=0.0,
        freeze_norm=True, augmentation=Augmentation.none(),
    )  # fmt: skip
    trainer = Trainer(origin, Data(rows), settings, tmp_path)
    trainer.run()
    trained = trainer.write()
    theirs = nemo_decode(trained, samples)
    with open_archive(trained) as archive:
        export_model(archive, tmp_path / "model", ExportOptions())
    with load_model(tmp_path / "model", threads=1, guard=None) as model:
        heard = model.transcribe([read_audio(path) for path in samples.values()])
    for row, one in zip(theirs, heard, strict=True):
        assert one.token_ids == row["ids"], row["audio"]
    assert sum(len(one.token_ids) for one in heard) > 50
