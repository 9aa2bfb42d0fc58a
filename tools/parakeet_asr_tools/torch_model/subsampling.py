"""Depthwise-striding subsampling: frames in, steps out."""

from __future__ import annotations

from torch import Tensor, nn

from parakeet_asr_tools.nemo.config import EncoderConfig
from parakeet_asr_tools.torch_model.lengths import halve_length, valid_mask


class Subsampling(nn.Module):
    """A strided convolution, then (depthwise strided, pointwise) pairs, then a projection.

    The numbers of ``conv`` are NeMo's: ReLUs count as layers.
    """

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        channels = config.subsampling_channels
        layers: list[nn.Module] = [nn.Conv2d(1, channels, 3, stride=2, padding=1), nn.ReLU()]
        bins = (config.mels + 1) // 2
        for _ in range(config.subsampling_stages - 1):
            layers += [
                nn.Conv2d(channels, channels, 3, stride=2, padding=1, groups=channels),
                nn.Conv2d(channels, channels, 1),
                nn.ReLU(),
            ]
            bins = (bins + 1) // 2
        self.conv = nn.ModuleList(layers)
        self.out = nn.Linear(channels * bins, config.d_model)

    def forward(self, features: Tensor, length: Tensor) -> tuple[Tensor, Tensor]:
        """[batch, mels, frames], [batch] -> [batch, steps, d_model], [batch]."""
        x = features.transpose(1, 2).unsqueeze(1)  # [batch, 1, frames, mels]
        for layer in self.conv:
            # padding is not zero any more after a bias, and a stride-2 window reaches one row into it
            x = x * valid_mask(length, x.shape[2])[:, None, :, None]
            x = layer(x)
            if isinstance(layer, nn.Conv2d) and layer.stride == (2, 2):
                length = halve_length(length)
        x = x * valid_mask(length, x.shape[2])[:, None, :, None]
        return self.out(x.transpose(1, 2).flatten(2)), length
