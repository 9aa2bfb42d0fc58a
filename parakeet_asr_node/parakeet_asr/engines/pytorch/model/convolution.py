"""The convolution module of a Conformer layer (Gulati et al., arXiv 2005.08100, section 2.2)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from parakeet_asr.nemo.config import EncoderConfig


class Convolution(nn.Module):
    """Pointwise, GLU, depthwise, norm, Swish, pointwise.

    The norm is called ``batch_norm`` in NeMo even where it is a LayerNorm.
    """

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        size, kernel, bias = config.d_model, config.conv_kernel_steps, config.use_bias
        self.pointwise_conv1 = nn.Conv1d(size, 2 * size, 1, bias=bias)
        self.depthwise_conv = nn.Conv1d(size, size, kernel, groups=size, bias=bias)
        self.batch_norm = nn.BatchNorm1d(size) if config.conv_norm == "batch_norm" else nn.LayerNorm(size)
        self.pointwise_conv2 = nn.Conv1d(size, size, 1, bias=bias)
        self.context = config.conv_context_steps

    def forward(self, x: Tensor, valid: Tensor) -> Tensor:
        """[batch, steps, d_model], [batch, steps] bool -> like ``x``."""
        return self._behind(functional.pad(self._before(x, valid), self.context))

    def step(self, x: Tensor, valid: Tensor, cache: Tensor) -> tuple[Tensor, Tensor]:
        """:meth:`forward` behind ``cache`` [batch, d_model, kernel - 1] of a causal model, and the next one.

        Args:
            x: [batch, steps, d_model].
            valid: [batch, steps] bool.
            cache: what the depthwise convolution read last.
        """
        x = torch.cat((cache, self._before(x, valid)), dim=2)
        return self._behind(x), x[:, :, -cache.shape[2] :]

    def _before(self, x: Tensor, valid: Tensor) -> Tensor:
        """What the depthwise convolution reads, [batch, d_model, steps]."""
        x = functional.glu(_pointwise(self.pointwise_conv1, x), dim=2)
        return x.masked_fill(~valid[:, :, None], 0.0).transpose(1, 2)

    def _behind(self, x: Tensor) -> Tensor:
        x = self.depthwise_conv(x)
        if isinstance(self.batch_norm, nn.LayerNorm):
            x = self.batch_norm(x.transpose(1, 2)).transpose(1, 2)
        else:
            x = self.batch_norm(x)
        return _pointwise(self.pointwise_conv2, functional.silu(x).transpose(1, 2))


def _pointwise(convolution: nn.Conv1d, x: Tensor) -> Tensor:
    """A convolution of one step over [batch, steps, channels]: a matrix product, and no change of layout."""
    return functional.linear(x, convolution.weight[:, :, 0], convolution.bias)
