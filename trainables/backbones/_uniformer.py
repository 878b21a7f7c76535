"""Modules of UniFormer, whose costs are beside its builder (``uniformer``): whoever only counts does without torch.

Maps are (N, C, H, W), or (N, C, T, H, W) where ``clip`` is true: kernels then reach as far in time as they do in space.
Weights have the same names in both forms.
"""

import torch.nn.functional as F
from torch import Tensor, nn

from trainables.backbones._blocks import Attention, Perceptron, drop_path, map_norm
from trainables.backbones.uniformer import FRAME_REACH, FRAME_STRIDE, STEM_STRIDES


class _ClipNorm(nn.LayerNorm):
    """Layer norm over the channels of each position of (N, C, T, H, W)."""

    def forward(self, x_BCTHW: Tensor) -> Tensor:
        return super().forward(x_BCTHW.movedim(1, -1)).movedim(-1, 1)


class _Patches(nn.Module):
    """Patches that do not overlap, of a map padded to whole ones, and their layer norm."""

    def __init__(self, inputs: int, outputs: int, side: int, *, clip: bool, first: bool = False) -> None:
        super().__init__()
        self.proj = _convolution(inputs, outputs, side, side, 0, clip=clip, first=first)
        self.norm = _ClipNorm(outputs, eps=1e-6) if clip else map_norm(outputs)
        self._side = side

    def forward(self, x: Tensor) -> Tensor:
        missing = [-size % self._side for size in x.shape[-2:]]
        normal: Tensor = self.norm(self.proj(F.pad(x, (0, missing[1], 0, missing[0]))))
        return normal


def _convolution(
    inputs: int, outputs: int, kernel: int, stride: int, padding: int, *, clip: bool, first: bool
) -> nn.Module:
    """In space; the first one of a clip also mixes neighbouring frames and steps over some."""
    if not clip:
        return nn.Conv2d(inputs, outputs, kernel, stride, padding)
    reach, step = (FRAME_REACH, FRAME_STRIDE) if first else (1, 1)
    sizes = (reach, kernel, kernel), (step, stride, stride), (reach // 2, padding, padding)
    return nn.Conv3d(inputs, outputs, *sizes)


def _normalised(inputs: int, outputs: int, stride: int, *, clip: bool, first: bool = False) -> list[nn.Module]:
    return [_convolution(inputs, outputs, 3, stride, 1, clip=clip, first=first), map_batch_norm(outputs, clip=clip)]


def map_batch_norm(width: int, *, clip: bool) -> nn.Module:
    """Batch norm of a map, with time or without."""
    return nn.BatchNorm3d(width) if clip else nn.BatchNorm2d(width)


def first_map(kind: str, channels: int, width: int, stride: int, *, clip: bool) -> nn.Module:
    """The stem.

    Args:
        kind: of ``uniformer.STEMS``.
        channels: of an image, or of one frame.
        width: of the map.
        stride: pixels to a position.
        clip: whether there is time.
    """
    if kind == "patch":
        return _Patches(channels, width, stride, clip=clip, first=True)
    start, then = STEM_STRIDES[stride]
    return nn.Sequential(
        *_normalised(channels, width // 2, start, clip=clip, first=True),
        nn.GELU(),
        *_normalised(width // 2, width, then, clip=clip),
    )


def smaller(kind: str, inputs: int, outputs: int, *, clip: bool) -> nn.Module:
    """Halves the map between two stages, and leaves time as it is."""
    if kind == "patch":
        return _Patches(inputs, outputs, 2, clip=clip)
    return nn.Sequential(*_normalised(inputs, outputs, 2, clip=clip))


def _depthwise(width: int, kernel: int, *, clip: bool) -> nn.Module:
    layer = nn.Conv3d if clip else nn.Conv2d
    return layer(width, width, kernel, padding=kernel // 2, groups=width)


def _pointwise(inputs: int, outputs: int, *, clip: bool) -> nn.Module:
    return (nn.Conv3d if clip else nn.Conv2d)(inputs, outputs, 1)


class Local(nn.Module):
    """Position by a depthwise convolution, neighbours mixed by weights of their offset alone, perceptron."""

    def __init__(self, width: int, kernel: int, ratio: float, drop: float, *, clip: bool = False) -> None:
        super().__init__()
        hidden = int(width * ratio)
        self.position = _depthwise(width, 3, clip=clip)
        self.mix = nn.Sequential(
            map_batch_norm(width, clip=clip),
            _pointwise(width, width, clip=clip),
            _depthwise(width, kernel, clip=clip),
            _pointwise(width, width, clip=clip),
        )
        self.mlp = nn.Sequential(
            map_batch_norm(width, clip=clip),
            _pointwise(width, hidden, clip=clip),
            nn.GELU(),
            _pointwise(hidden, width, clip=clip),
        )
        self.drop = drop_path(drop)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.position(x)
        x = x + self.drop(self.mix(x))
        out: Tensor = x + self.drop(self.mlp(x))
        return out


class Global(nn.Module):
    """Position by a depthwise convolution, attention over all positions (of all frames), perceptron."""

    def __init__(self, width: int, head_width: int, ratio: float, drop: float, *, clip: bool = False) -> None:
        super().__init__()
        self.position = _depthwise(width, 3, clip=clip)
        self.norm1, self.attn = nn.LayerNorm(width, eps=1e-6), Attention(width, head_width)
        self.norm2, self.mlp = nn.LayerNorm(width, eps=1e-6), Perceptron(width, ratio)
        self.drop = drop_path(drop)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.position(x)
        x_BNC: Tensor = x.flatten(2).transpose(1, 2)
        x_BNC = x_BNC + self.drop(self.attn(self.norm1(x_BNC)))
        x_BNC = x_BNC + self.drop(self.mlp(self.norm2(x_BNC)))
        return x_BNC.transpose(1, 2).reshape(x.shape)
