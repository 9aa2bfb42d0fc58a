"""``make-nemo``: a ``.nemo`` archive with random weights that behaves like a model."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import torch
import yaml
from torch import Tensor, nn

from parakeet_asr.core.filterbank import slaney_filterbank
from parakeet_asr.engines.pytorch.model.transducer import Transducer
from parakeet_asr.nemo.config import TransducerConfig, parse_config
from parakeet_asr_tools.making.calibration import Calibration, calibrate
from parakeet_asr_tools.making.presets import DecoderName, Preset, model_config
from parakeet_asr_tools.nemo.vocabulary import pieces, sentencepiece_model
from parakeet_asr_tools.nemo.writing import write_archive

_EMBEDDING_GAIN = 0.5


def make_archive(
    out: Path,
    preset: Preset,
    seed: int,
    decoder: DecoderName = "tdt",
    on_progress: Callable[[str], None] = lambda _: None,
) -> Calibration:
    """Write an archive of random weights; the same seed gives the same bytes with the same torch.

    Raises:
        ModelError: the weights of this seed cannot be calibrated.
    """
    vocabulary = pieces(preset.vocabulary_size)
    artifacts, files = _tokenizer_files(vocabulary)
    config = model_config(preset, decoder, vocabulary, artifacts)
    on_progress("drawing weights")
    model = random_transducer(parse_config(config), seed)
    on_progress("calibrating blank and durations")
    calibration = calibrate(model, seed)
    on_progress("writing the archive")
    text = yaml.safe_dump(config, sort_keys=False, allow_unicode=True).encode()
    write_archive(out, text, {**_preprocessor_constants(preset.mels), **model.state_dict()}, files)
    return calibration


def random_transducer(config: TransducerConfig, seed: int) -> Transducer:
    """A model of random weights; all are float16 numbers, so that float16 storage loses nothing."""
    generator_state = torch.random.get_rng_state()
    torch.manual_seed(seed)
    try:
        model = Transducer(config).eval().requires_grad_(False)
        for module in model.modules():
            _liven(module)
        with torch.no_grad():
            for tensor in model.state_dict().values():
                if tensor.dtype.is_floating_point:
                    tensor.copy_(tensor.half())
    finally:
        torch.random.set_rng_state(generator_state)
    return model


def _liven(module: nn.Module) -> None:
    """Give norms and biases that begin as 0 and 1 a value, so that an error in their use shows."""
    if isinstance(module, nn.LayerNorm | nn.BatchNorm1d):
        nn.init.normal_(module.weight, 1.0, 0.1)
        nn.init.normal_(module.bias, 0.0, 0.1)
    if isinstance(module, nn.BatchNorm1d):
        assert module.running_mean is not None
        assert module.running_var is not None
        nn.init.normal_(module.running_mean, 0.0, 0.1)
        nn.init.uniform_(module.running_var, 0.5, 1.5)
    for name in ("pos_bias_u", "pos_bias_v"):
        parameter = getattr(module, name, None)
        if isinstance(parameter, Tensor):
            nn.init.normal_(parameter, 0.0, 0.1)
    if isinstance(module, nn.Embedding) and module.padding_idx is not None:
        module.weight.mul_(_EMBEDDING_GAIN)
        module.weight[module.padding_idx].zero_()


def _tokenizer_files(vocabulary: list[str]) -> tuple[dict[str, str], dict[str, bytes]]:
    """NeMo's three tokenizer settings, and the members they name, prefixed with a hash as NeMo does."""
    contents = {
        ("model_path", "tokenizer.model"): sentencepiece_model(len(vocabulary)),
        ("vocab_path", "vocab.txt"): "".join(f"{piece}\n" for piece in vocabulary).encode(),
        ("spe_tokenizer_vocab", "tokenizer.vocab"): "".join(
            f"{piece}\t{-i}\n" for i, piece in enumerate(vocabulary)
        ).encode(),
    }
    artifacts, files = {}, {}
    for (key, suffix), content in contents.items():
        name = f"{hashlib.sha256(content).hexdigest()[:32]}_{suffix}"
        artifacts[key] = name
        files[name] = content
    return artifacts, files


def _preprocessor_constants(mels: int) -> dict[str, Tensor]:
    """Window and filters, which NeMo keeps in its checkpoints though it can compute them."""
    return {
        "preprocessor.featurizer.window": torch.hann_window(400, periodic=False),
        "preprocessor.featurizer.fb": torch.from_numpy(slaney_filterbank(mels))[None],
    }
