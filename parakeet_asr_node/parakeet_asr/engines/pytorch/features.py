"""Log-mel features of a batch on the device, NeMo's recipe: ``core.features`` in PyTorch."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from parakeet_asr.core.filterbank import FFT_SIZE
from parakeet_asr.core.log_mel import RECIPES
from parakeet_asr.core.model_spec import FeatureSpec
from parakeet_asr.core.spectrum import HOP_SAMPLES, WINDOW_SAMPLES
from parakeet_asr.engines.pytorch.model.lengths import valid_mask
from parakeet_asr.errors import EngineError

_STD_GUARD = 1e-5  # NeMo's CONSTANT


class LogMelFeatures(nn.Module):
    """Samples in, features out; float32 whatever surrounds it."""

    window: Tensor
    filters: Tensor

    def __init__(self, spec: FeatureSpec) -> None:
        super().__init__()
        recipe = RECIPES[spec.recipe]
        if not recipe.centred:
            raise EngineError(
                f"engine torch: expected the feature recipe 'nemo', got {spec.recipe!r}; use engine ort"
            )
        self._normalize = spec.normalize == "per_feature"
        self._preemphasis, self._floor = recipe.preemphasis, recipe.floor
        self.register_buffer("window", torch.from_numpy(recipe.window()), persistent=False)
        self.register_buffer("filters", torch.from_numpy(recipe.filterbank(spec.mels)), persistent=False)

    def forward(self, samples: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Features.

        Args:
            samples: [batch, n] float32, whatever lies behind each length.
            lengths: [batch] int64 samples.

        Returns:
            [batch, mels, n // 160] float32, zero behind each length, and [batch] int64 frames.
        """
        heard = valid_mask(lengths, samples.shape[1])
        before = functional.pad(samples[:, :-1], (1, 0))
        signal = (samples - self._preemphasis * before).masked_fill(~heard, 0.0)
        frames = torch.div(lengths, HOP_SAMPLES, rounding_mode="floor")
        size = samples.shape[1] // HOP_SAMPLES
        x = torch.log(self._energy(signal)[:, :, :size] + self._floor)
        valid = valid_mask(frames, size)[:, None]
        if self._normalize:
            x = self._normalized(x, valid, frames)
        return x.masked_fill(~valid, 0.0), frames

    def _energy(self, signal: Tensor) -> Tensor:
        with torch.autocast(signal.device.type, enabled=False):
            spectrum = torch.stft(
                signal,
                FFT_SIZE,
                hop_length=HOP_SAMPLES,
                win_length=WINDOW_SAMPLES,
                window=self.window,
                center=True,
                pad_mode="constant",
                return_complex=True,
            )
            power = torch.view_as_real(spectrum).square().sum(-1)
            return self.filters @ power

    @staticmethod
    def _normalized(x: Tensor, valid: Tensor, frames: Tensor) -> Tensor:
        """See ``core.features.normalize_per_feature``: the first frame is subtracted for exact zeros."""
        count = frames.clamp(min=1)[:, None, None].to(x.dtype)
        x = (x - x[:, :, :1]).masked_fill(~valid, 0.0)
        x = (x - x.sum(2, keepdim=True) / count).masked_fill(~valid, 0.0)
        variance = x.square().sum(2, keepdim=True) / (count - 1.0).clamp(min=1.0)
        return x / (variance.sqrt() + _STD_GUARD)
