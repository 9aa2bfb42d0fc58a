"""The FastConformer encoder (Rekesh et al., arXiv 2305.05084)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from parakeet_asr.engines.pytorch.model.attention import RelativeAttention, relative_positions
from parakeet_asr.engines.pytorch.model.convolution import Convolution
from parakeet_asr.engines.pytorch.model.lengths import chunk_mask, valid_mask
from parakeet_asr.engines.pytorch.model.subsampling import Subsampling
from parakeet_asr.nemo.config import EncoderConfig


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

    def forward(self, x: Tensor, positions: Tensor, visible: Tensor, valid: Tensor) -> Tensor:
        """[batch, steps, d_model] -> the same.

        Args:
            x: the steps.
            positions: of :func:`relative_positions`.
            visible: [batch, steps or 1, steps] bool, what attention sees.
            valid: [batch, steps] bool.
        """
        x = x + 0.5 * self.feed_forward1(self.norm_feed_forward1(x))
        normed = self.norm_self_att(x)
        x = x + self.self_attn(normed, normed, positions, visible)
        x = x + self.conv(self.norm_conv(x), valid)
        return self._end(x)

    def step(
        self, x: Tensor, positions: Tensor, visible: Tensor, valid: Tensor, channel: Tensor, time: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """:meth:`forward` behind what the layer remembers; returns also what it remembers next.

        Args:
            x: [batch, steps, d_model] the new steps.
            positions: of the new steps to cache and new steps.
            visible: [batch, 1, cache + steps] bool.
            valid: [batch, steps] bool.
            channel: [batch, cache, d_model] what attention read before.
            time: [batch, d_model, kernel - 1] what the convolution read before.
        """
        x = x + 0.5 * self.feed_forward1(self.norm_feed_forward1(x))
        normed = self.norm_self_att(x)
        context = torch.cat((channel, normed), dim=1)
        x = x + self.self_attn(normed, context, positions, visible)
        convolved, time = self.conv.step(self.norm_conv(x), valid, time)
        return self._end(x + convolved), context[:, -channel.shape[1] :], time

    def _end(self, x: Tensor) -> Tensor:
        x = x + 0.5 * self.feed_forward2(self.norm_feed_forward2(x))
        out: Tensor = self.norm_out(x)
        return out


@dataclass(frozen=True, slots=True)
class Caches:
    """What a cache-aware encoder remembers between two steps."""

    channel: Tensor  # [batch, layers, left context, d_model] inputs of the attention
    time: Tensor  # [batch, layers, d_model, kernel - 1] inputs of the depthwise convolution
    length: Tensor  # [batch] int64 steps in ``channel``; they are its last ones


class Encoder(nn.Module):
    """Features in, one vector per 80 ms out."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.config = config
        self.scale = math.sqrt(config.d_model) if config.xscaling else 1.0
        self.pre_encode = Subsampling(config)
        self.layers = nn.ModuleList(ConformerLayer(config) for _ in range(config.layers))

    def forward(
        self, features: Tensor, length: Tensor, context: tuple[int, int] | None = None
    ) -> tuple[Tensor, Tensor]:
        """Encode.

        Args:
            features: [batch, mels, frames].
            length: [batch] int64 valid frames.
            context: steps to the left and right, one of the attention contexts of a cache-aware model that
                has several; the first by default.

        Returns:
            [batch, d_model, steps] and [batch] valid steps.
        """
        x, steps = self.pre_encode(features, length)
        x = x * self.scale
        size = x.shape[1]
        positions = relative_positions(size, size, x.shape[2], x.device).to(x.dtype)
        valid = valid_mask(steps, size)
        visible = valid[:, None, :]
        if self.config.attention_style == "chunked_limited":
            visible = visible & chunk_mask(size, *(context or self.config.attention_context_steps), x.device)
        for layer in self.layers:
            x = layer(x, positions, visible, valid)
        return x.transpose(1, 2), steps

    def initial_caches(self, batch: int, device: torch.device | None = None) -> Caches:
        """Nothing was heard yet."""
        config = self.config
        left, before = config.attention_context_steps[0], config.conv_context_steps[0]
        return Caches(
            torch.zeros(batch, config.layers, left, config.d_model, device=device),
            torch.zeros(batch, config.layers, config.d_model, before, device=device),
            torch.zeros(batch, dtype=torch.int64, device=device),
        )

    def step(self, features: Tensor, length: Tensor, caches: Caches) -> tuple[Tensor, Tensor, Caches]:
        """Encode the next chunk of a cache-aware model.

        Every window has the same size. Its first columns are the frames before the chunk, which the
        subsampling reads again; in a row whose cache is empty they stand for nothing: the frames before
        the beginning, where :meth:`forward` pads every convolution.

        Args:
            features: [batch, mels, window] with the chunk's new frames behind those before.
            length: [batch] int64 valid columns, including those before; fewer than the window only at the
                end of a signal, and no window can follow.
            caches: as the last step returned them.

        Returns:
            [batch, d_model, right context + 1], [batch] valid steps, and the next caches.
        """
        dropped = 2  # steps that begin before the chunk: NeMo's drop_extra_pre_encoded
        nothing = torch.where(caches.length == 0, dropped * self.config.subsampling_factor, 0)
        x, steps = self.pre_encode(features, length, nothing)
        x, steps = x[:, dropped:] * self.scale, (steps - dropped).clamp(min=0)
        new, left = x.shape[1], caches.channel.shape[2]
        positions = relative_positions(new, left + new, x.shape[2], x.device).to(x.dtype)
        visible = valid_mask(steps + left, left + new, left - caches.length)[:, None]
        valid = valid_mask(steps, new)
        channels, times = [], []
        for i, layer in enumerate(self.layers):
            assert isinstance(layer, ConformerLayer)
            channel, time = caches.channel[:, i], caches.time[:, i]
            x, channel, time = layer.step(x, positions, visible, valid, channel, time)
            channels.append(channel)
            times.append(time)
        following = Caches(
            torch.stack(channels, 1), torch.stack(times, 1), (caches.length + new).clamp(max=left)
        )
        return x.transpose(1, 2), steps, following
