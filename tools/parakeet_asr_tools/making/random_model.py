"""``make-nemo``: a ``.nemo`` archive with random weights that behaves like a model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
import yaml
from torch import Tensor, nn

from parakeet_asr.engines.pytorch.model.transducer import Transducer
from parakeet_asr.nemo.config import TransducerConfig, parse_config
from parakeet_asr_tools.making.calibration import Calibration, calibrate
from parakeet_asr_tools.making.members import preprocessor_constants, tokenizer_members
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
    artifacts, files = tokenizer_members(sentencepiece_model(len(vocabulary)), vocabulary)
    config = model_config(preset, decoder, vocabulary, artifacts)
    on_progress("drawing weights")
    model = random_transducer(parse_config(config), seed)
    on_progress("calibrating blank and durations")
    calibration = calibrate(model, seed)
    on_progress("writing the archive")
    text = yaml.safe_dump(config, sort_keys=False, allow_unicode=True).encode()
    write_archive(out, text, {**preprocessor_constants(preset.mels), **model.state_dict()}, files)
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
