"""Depthwise-striding subsampling: frames in, steps out."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from parakeet_asr.engines.pytorch.model.lengths import halve_length, valid_mask
from parakeet_asr.nemo.config import EncoderConfig


class Subsampling(nn.Module):
    """A strided convolution, then (depthwise strided, pointwise) pairs, then a projection.

    The numbers of ``conv`` are NeMo's: ReLUs count as layers. A causal model sees nothing to the right:
    its strided convolutions are padded by 2 before and 1 behind, in time and in frequency.
    """

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        channels, self.causal = config.subsampling_channels, config.causal_downsampling
        padding = 0 if self.causal else 1
        layers: list[nn.Module] = [nn.Conv2d(1, channels, 3, stride=2, padding=padding), nn.ReLU()]
        bins = self._halved(config.mels)
        for _ in range(config.subsampling_stages - 1):
            layers += [
                nn.Conv2d(channels, channels, 3, stride=2, padding=padding, groups=channels),
                nn.Conv2d(channels, channels, 1),
                nn.ReLU(),
            ]
            bins = self._halved(bins)
        self.conv = nn.ModuleList(layers)
        self.out = nn.Linear(channels * bins, config.d_model)

    def forward(self, features: Tensor, length: Tensor, first: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Subsample.

        Args:
            features: [batch, mels, frames].
            length: [batch] valid frames.
            first: [batch] columns on the left that stand for nothing at all, multiples of the
                subsampling factor; what is computed from them is no better than padding.

        Returns:
            [batch, steps, d_model] and [batch] valid steps, of which the first ``first / factor`` have no
            meaning.
        """
        x = features.transpose(1, 2).unsqueeze(1)  # [batch, 1, frames, mels]
        for layer in self.conv:
            # padding is not zero any more after a bias, and a stride-2 window reaches into it
            x = x * valid_mask(length, x.shape[2], first)[:, None, :, None]
            if isinstance(layer, nn.Conv2d) and layer.stride == (2, 2):
                x = functional.pad(x, (2, 1, 2, 1)) if self.causal else x
                length = halve_length(length, causal=self.causal)
                first = None if first is None else first // 2
            x = layer(x)
        x = x * valid_mask(length, x.shape[2])[:, None, :, None]
        return self.out(x.transpose(1, 2).flatten(2)), length

    def _halved(self, size: int) -> int:
        return size // 2 + 1 if self.causal else (size + 1) // 2
