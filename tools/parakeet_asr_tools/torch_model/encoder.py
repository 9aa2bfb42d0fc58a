"""The FastConformer encoder (Rekesh et al., arXiv 2305.05084)."""

from __future__ import annotations

import math

from torch import Tensor, nn
from torch.nn import functional

from parakeet_asr_tools.nemo.config import EncoderConfig
from parakeet_asr_tools.torch_model.attention import RelativeAttention, relative_positions
from parakeet_asr_tools.torch_model.convolution import Convolution
from parakeet_asr_tools.torch_model.lengths import valid_mask
from parakeet_asr_tools.torch_model.subsampling import Subsampling


class FeedForward(nn.Module):
    """Two linear layers with Swish between them."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        inner = config.d_model * config.feed_forward_expansion
        self.linear1 = nn.Linear(config.d_model, inner, bias=config.use_bias)
        self.linear2 = nn.Linear(inner, config.d_model, bias=config.use_bias)

    def forward(self, x: Tensor) -> Tensor:
        """[..., d_model] -> the same."""
        out: Tensor = self.linear2(functional.silu(self.linear1(x)))
        return out


class ConformerLayer(nn.Module):
    """Half feed-forward, attention, convolution, half feed-forward, each around a residual."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.norm_feed_forward1 = nn.LayerNorm(config.d_model)
        self.feed_forward1 = FeedForward(config)
        self.norm_self_att = nn.LayerNorm(config.d_model)
        self.self_attn = RelativeAttention(config)
        self.norm_conv = nn.LayerNorm(config.d_model)
        self.conv = Convolution(config)
        self.norm_feed_forward2 = nn.LayerNorm(config.d_model)
        self.feed_forward2 = FeedForward(config)
        self.norm_out = nn.LayerNorm(config.d_model)

    def forward(self, x: Tensor, positions: Tensor, valid: Tensor) -> Tensor:
        """[batch, steps, d_model], [2 steps - 1, d_model], [batch, steps] bool -> like ``x``."""
        x = x + 0.5 * self.feed_forward1(self.norm_feed_forward1(x))
        x = x + self.self_attn(self.norm_self_att(x), positions, valid)
        x = x + self.conv(self.norm_conv(x), valid)
        x = x + 0.5 * self.feed_forward2(self.norm_feed_forward2(x))
        out: Tensor = self.norm_out(x)
        return out


class Encoder(nn.Module):
    """Features in, one vector per 80 ms out."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.scale = math.sqrt(config.d_model) if config.xscaling else 1.0
        self.pre_encode = Subsampling(config)
        self.layers = nn.ModuleList(ConformerLayer(config) for _ in range(config.layers))

    def forward(self, features: Tensor, length: Tensor) -> tuple[Tensor, Tensor]:
        """Encode.

        Args:
            features: [batch, mels, frames].
            length: [batch] int64 valid frames.

        Returns:
            [batch, d_model, steps] and [batch] valid steps.
        """
        x, steps = self.pre_encode(features, length)
        x = x * self.scale
        positions = relative_positions(x.shape[1], x.shape[2]).to(x)
        valid = valid_mask(steps, x.shape[1])
        for layer in self.layers:
            x = layer(x, positions, valid)
        return x.transpose(1, 2), steps
