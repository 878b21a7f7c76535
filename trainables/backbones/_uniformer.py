"""Modules of UniFormer, whose costs are beside its builder (``uniformer``): whoever only counts does without torch."""

import torch.nn.functional as F
from torch import Tensor, nn

from trainables.backbones._blocks import Attention, Perceptron, drop_path, map_norm
from trainables.backbones.uniformer import STEM_STRIDES


class _Patches(nn.Module):
    """Patches that do not overlap, of a map padded to whole ones, and their layer norm."""

    def __init__(self, inputs: int, outputs: int, side: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(inputs, outputs, side, side)
        self.norm = map_norm(outputs)
        self._side = side

    def forward(self, x_BCHW: Tensor) -> Tensor:
        missing = [-size % self._side for size in x_BCHW.shape[-2:]]
        normal: Tensor = self.norm(self.proj(F.pad(x_BCHW, (0, missing[1], 0, missing[0]))))
        return normal


def _convolution(inputs: int, outputs: int, stride: int) -> list[nn.Module]:
    return [nn.Conv2d(inputs, outputs, 3, stride, 1), nn.BatchNorm2d(outputs)]


def first_map(kind: str, channels: int, width: int, stride: int) -> nn.Module:
    if kind == "patch":
        return _Patches(channels, width, stride)
    first, second = STEM_STRIDES[stride]
    return nn.Sequential(
        *_convolution(channels, width // 2, first), nn.GELU(), *_convolution(width // 2, width, second)
    )


def smaller(kind: str, inputs: int, outputs: int) -> nn.Module:
    """Halves the map between two stages."""
    return _Patches(inputs, outputs, 2) if kind == "patch" else nn.Sequential(*_convolution(inputs, outputs, 2))


class Local(nn.Module):
    """Position by a depthwise convolution, neighbours mixed by weights of their offset alone, perceptron."""

    def __init__(self, width: int, kernel: int, ratio: float, drop: float) -> None:
        super().__init__()
        hidden = int(width * ratio)
        self.position = nn.Conv2d(width, width, 3, padding=1, groups=width)
        self.mix = nn.Sequential(
            nn.BatchNorm2d(width),
            nn.Conv2d(width, width, 1),
            nn.Conv2d(width, width, kernel, padding=kernel // 2, groups=width),
            nn.Conv2d(width, width, 1),
        )
        self.mlp = nn.Sequential(
            nn.BatchNorm2d(width), nn.Conv2d(width, hidden, 1), nn.GELU(), nn.Conv2d(hidden, width, 1)
        )
        self.drop = drop_path(drop)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        x_BCHW = x_BCHW + self.position(x_BCHW)
        x_BCHW = x_BCHW + self.drop(self.mix(x_BCHW))
        out_BCHW: Tensor = x_BCHW + self.drop(self.mlp(x_BCHW))
        return out_BCHW


class Global(nn.Module):
    """Position by a depthwise convolution, attention over all positions, perceptron."""

    def __init__(self, width: int, head_width: int, ratio: float, drop: float) -> None:
        super().__init__()
        self.position = nn.Conv2d(width, width, 3, padding=1, groups=width)
        self.norm1, self.attn = nn.LayerNorm(width, eps=1e-6), Attention(width, head_width)
        self.norm2, self.mlp = nn.LayerNorm(width, eps=1e-6), Perceptron(width, ratio)
        self.drop = drop_path(drop)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        x_BCHW = x_BCHW + self.position(x_BCHW)
        x_BNC: Tensor = x_BCHW.flatten(2).transpose(1, 2)
        x_BNC = x_BNC + self.drop(self.attn(self.norm1(x_BNC)))
        x_BNC = x_BNC + self.drop(self.mlp(self.norm2(x_BNC)))
        return x_BNC.transpose(1, 2).reshape(x_BCHW.shape)
