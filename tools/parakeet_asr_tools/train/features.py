"""Log-mel features of a batch on the training device, recipe ``nemo``, with warped frequencies on request.

Without a warp they are those of the runtime's ``FeatureExtractor``; a test compares.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from parakeet_asr.core.filterbank import BINS, FFT_SIZE, slaney_filterbank
from parakeet_asr.core.log_mel import RECIPES
from parakeet_asr.core.spectrum import HOP_SAMPLES, WINDOW_SAMPLES
from parakeet_asr.engines.pytorch.model.lengths import valid_mask
from parakeet_asr.nemo.config import PreprocessorConfig

_STD_GUARD = 1e-5  # NeMo's CONSTANT
_WARPED_SHARE = 0.8  # of the frequency axis; above it the warp bends back so that 8 kHz stays in its place


class BatchFeatures(nn.Module):
    """Samples to what the encoder reads."""

    window: Tensor
    filters: Tensor

    def __init__(self, config: PreprocessorConfig) -> None:
        super().__init__()
        self._normalize = config.normalize == "per_feature"
        recipe = RECIPES["nemo"]
        self._preemphasis, self._floor = recipe.preemphasis, recipe.floor
        self.register_buffer("window", torch.hann_window(WINDOW_SAMPLES, periodic=False), persistent=False)
        self.register_buffer(
            "filters", torch.from_numpy(slaney_filterbank(config.mels).copy()), persistent=False
        )

    @torch.no_grad()
    def forward(self, samples: Tensor, length: Tensor, warp: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Compute.

        Args:
            samples: [batch, n] float32 at 16 kHz, zero behind each length.
            length: [batch] int64 valid samples.
            warp: [batch] by which frequencies are multiplied (vocal tract length perturbation); 1 is none.

        Returns:
            [batch, mels, frames] float32, zero behind each length, and [batch] int64 valid frames.
        """
        signal = torch.cat(
            (samples[:, :1], samples[:, 1:] - self._preemphasis * samples[:, :-1]), dim=1
        ) * valid_mask(length, samples.shape[1])
        spectrum = torch.stft(
            signal, FFT_SIZE, HOP_SAMPLES, WINDOW_SAMPLES, self.window, center=True, pad_mode="constant",
            return_complex=True,
        )  # fmt: skip
        power = spectrum.abs().square()
        if warp is not None:
            power = warped(power, warp)
        x = (self.filters @ power + self._floor).log()
        frames = torch.div(length, HOP_SAMPLES, rounding_mode="floor")
        x = x[:, :, : int(frames.max())]
        valid = valid_mask(frames, x.shape[2])[:, None]
        if self._normalize:
            x = _normalized(x, frames, valid)
        return x * valid, frames


def warped(power: Tensor, warp: Tensor) -> Tensor:
    """Stretch the frequency axis piecewise linearly (Jaitly and Hinton, 2013: VTLP).

    Args:
        power: [batch, BINS, frames].
        warp: [batch]; what lay at f comes to lie at warp * f, up to where the warp bends back.
    """
    bins = torch.arange(BINS, device=power.device, dtype=torch.float32)[None]
    highest, factor = BINS - 1, warp[:, None].float()
    bend = _WARPED_SHARE * highest * factor.clamp(max=1.0)  # where the bend comes to lie
    source = bend / factor
    above = source + (bins - bend) * (highest - source) / (highest - bend)
    wanted = torch.where(bins <= bend, bins / factor, above).clamp(0, highest)
    low = wanted.floor().clamp(max=highest - 1)
    share = (wanted - low)[:, :, None]
    index = low.long()[:, :, None].expand_as(power)
    return power.gather(1, index) * (1 - share) + power.gather(1, index + 1) * share


def _normalized(x: Tensor, frames: Tensor, valid: Tensor) -> Tensor:
    count = frames[:, None, None].clamp(min=1)
    x = x - (x * valid).sum(dim=2, keepdim=True) / count
    variance = (x * valid).square().sum(dim=2, keepdim=True) / (count - 1).clamp(min=1)
    return x / (variance.sqrt() + _STD_GUARD)


def mask_blocks(features: Tensor, blocks: Tensor, nothing: Tensor) -> Tensor:
    """SpecAugment (Park et al., arXiv 1904.08779): set bands of mels and stretches of time to the mean.

    Args:
        features: [batch, mels, frames].
        blocks: [batch, n, 3] float: axis (0 mels, 1 time), first and end as shares of the axis.
        nothing: [batch] the mean.
    """
    mels = torch.arange(features.shape[1], device=features.device)[None, :, None]
    frames = torch.arange(features.shape[2], device=features.device)[None, None, :]
    hidden = torch.zeros_like(features, dtype=torch.bool)
    for axis, first, end in blocks.permute(1, 2, 0)[..., None, None]:
        on_mels = (mels >= first * features.shape[1]) & (mels < end * features.shape[1])
        on_time = (frames >= first * features.shape[2]) & (frames < end * features.shape[2])
        hidden |= torch.where(axis == 0, on_mels, on_time)
    return torch.where(hidden, nothing[:, None, None], features)
