"""Our PyTorch encoder against NeMo's own, live."""

from __future__ import annotations

from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from parakeet_asr.engines.pytorch.model.transducer import load_transducer  # noqa: E402
from parakeet_asr.nemo.archive import open_archive  # noqa: E402
from parakeet_asr.nemo.config import parse_config  # noqa: E402

DEMO = Path(__file__).parents[2] / "models" / "demo" / "demo.nemo"


@pytest.mark.parity
@pytest.mark.filterwarnings("ignore")
def test_encoder_equals_nemo() -> None:
    models = pytest.importorskip("nemo.collections.asr.models")
    original = models.ASRModel.restore_from(str(DEMO), map_location="cpu").eval()
    generator = torch.Generator().manual_seed(0)
    features, lengths = torch.randn(3, 128, 500, generator=generator), torch.tensor([500, 251, 402])
    with open_archive(DEMO) as archive, torch.inference_mode():
        model = load_transducer(parse_config(archive.config), archive.weights)
        ours, steps = model.encoder(features, lengths)
        theirs, their_steps = original.encoder(audio_signal=features, length=lengths)
    assert steps.tolist() == their_steps.tolist()
    for i, valid in enumerate(steps.tolist()):
        torch.testing.assert_close(ours[i, :, :valid], theirs[i, :, :valid], atol=1e-4, rtol=0)
