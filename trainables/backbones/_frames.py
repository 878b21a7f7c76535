"""Clips: images whose channels are those of one frame after the other, and networks that see them in time."""

from typing import Any

from torch import Tensor

from trainables.backbones._stages import Stages


def unstacked(clip_NDHW: Tensor, frames: int) -> Tensor:
    """Clips (N, frames * C, H, W), a frame's channels after another's, as (N, C, frames, H, W)."""
    count, channels, *sides = clip_NDHW.shape
    return clip_NDHW.reshape(count, frames, channels // frames, *sides).transpose(1, 2)


class ClipStages(Stages):
    """Stages whose maps are (N, C, T, h, w); those that are asked for are means over the frames, (N, C, h, w).

    Args:
        frames: of a clip; divides its channels.
        parts, named: of ``Stages``; stem, stages and norm take maps with time.
    """

    def __init__(self, *parts: Any, frames: int, **named: Any) -> None:
        super().__init__(*parts, **named)
        self._frames = frames

    def forward_features(self, x: Tensor) -> Tensor:
        """The last map (N, width, h, w)."""
        return super().forward_features(unstacked(x, self._frames)).mean(2)

    def forward_intermediates(self, x: Tensor, **ignored: Any) -> tuple[Tensor, list[Tensor]]:
        """The last map, and that of every stage; the last of these is the last map."""
        last, maps = super().forward_intermediates(unstacked(x, self._frames), **ignored)
        return last.mean(2), [map_NCTHW.mean(2) for map_NCTHW in maps]
