"""Against the original NeMo, run now: features, TDT tokens, RNNT tokens. ``make parity`` runs these.

The RNNT model is made of the demo model: its joint network without the durations. With a trained
encoder it says words and blanks like a real one, and as it never learnt to go on after a token it
runs into ``max_symbols`` often, the branch that a tame model leaves untested.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from parakeet_asr import load_model
from parakeet_asr.core.features import FeatureExtractor
from parakeet_asr.sources.audio_file import read_audio

pytestmark = pytest.mark.parity

# Log energies of two float32 spectra. Next to a loud bin a quiet one keeps few digits, in NeMo's FFT as in
# ours: both differ from float64 by up to about 1e-3 in a few values of real speech, hence the two bounds.
FEATURES_TOLERANCE = 2e-4
FEATURES_TOLERANCE_WORST = 2e-3
FEATURES_SHARE_BEYOND = 5e-3
DURATIONS = 5


@pytest.fixture(scope="module")
def live(nemo_decode, nemo_file, live_utterances):
    return nemo_decode(nemo_file, live_utterances)


def test_tokens_and_text(model, live, live_utterances):
    heard = model.transcribe([read_audio(path) for path in live_utterances.values()])
    for row, one in zip(live, heard, strict=True):
        assert (one.token_ids, one.text) == (row["ids"], row["text"]), row["audio"]


def test_features(model, live, live_utterances):
    extractor = FeatureExtractor(model.spec.features)
    for row, path in zip(live, live_utterances.values(), strict=True):
        ours, theirs = extractor.log_mel(read_audio(path)), np.load(row["features"])
        assert ours.shape == theirs.shape, row["audio"]
        error = np.abs(ours - theirs)
        assert error.max() <= FEATURES_TOLERANCE_WORST, row["audio"]
        assert np.mean(error > FEATURES_TOLERANCE) <= FEATURES_SHARE_BEYOND, row["audio"]


def test_rnnt_tokens(nemo_decode, nemo_file, live_utterances, tmp_path):
    archive = write_rnnt_archive(nemo_file, tmp_path / "rnnt.nemo")
    rows = nemo_decode(archive, live_utterances)
    from parakeet_asr.nemo.archive import open_archive
    from parakeet_asr_tools.onnx_export.model_directory import ExportOptions, export_model

    with open_archive(archive) as opened:
        spec = export_model(opened, tmp_path / "rnnt", ExportOptions())
    assert spec.decoder.kind == "rnnt"
    ours = load_model(tmp_path / "rnnt", threads=1, guard=None)
    heard = ours.transcribe([read_audio(path) for path in live_utterances.values()])
    for row, one in zip(rows, heard, strict=True):
        assert one.token_ids == row["ids"], row["audio"]
    assert sum(len(row["ids"]) for row in rows) > 100  # it does speak
    starts = [token.start_step for one in heard for token in one.tokens]
    assert max(np.bincount(starts)) >= 10  # and max_symbols was reached


def write_rnnt_archive(nemo_file: Path, out: Path) -> Path:
    """The TDT model of ``nemo_file`` without its durations, as an RNNT model in NeMo's format."""
    pytest.importorskip("torch")
    import yaml

    from parakeet_asr.nemo.archive import open_archive
    from parakeet_asr_tools.nemo.writing import write_archive

    with open_archive(nemo_file) as archive:
        config, weights = dict(archive.config), dict(archive.weights)
        config["joint"] = {**config["joint"], "num_extra_outputs": 0}
        config["decoding"] = {"strategy": "greedy_batch", "greedy": {"max_symbols": 10}}
        config["loss"] = {"loss_name": "default"}
        config["model_defaults"] = {
            key: value for key, value in config["model_defaults"].items() if "tdt" not in key
        }
        for name in ("joint.joint_net.2.weight", "joint.joint_net.2.bias"):
            weights[name] = weights[name][:-DURATIONS].clone()
        write_archive(out, yaml.safe_dump(config, sort_keys=False).encode(), weights, archive.files)
    return out
