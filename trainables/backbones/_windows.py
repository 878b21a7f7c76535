"""Maps cut into windows that do not overlap, for attention within each; maps are padded to whole windows."""

import torch.nn.functional as F
from torch import Tensor


def into_windows(x_BHWC: Tensor, h: int, w: int) -> Tensor:
    """The windows of h x w positions of each map, (B x windows, h x w, C), row after row; zeros beyond the map."""
    height, width, channels = x_BHWC.shape[1:]
    down, right = -height % h, -width % w
    cut = F.pad(x_BHWC, (0, 0, 0, right, 0, down)).reshape(
        -1, (height + down) // h, h, (width + right) // w, w, channels
    )
    return cut.transpose(2, 3).reshape(-1, h * w, channels)


def from_windows(x_SNC: Tensor, height: int, width: int, h: int, w: int) -> Tensor:
    """Maps (B, height, width, C) from their windows: the inverse of ``into_windows``."""
    rows, columns, channels = -(-height // h), -(-width // w), x_SNC.shape[-1]
    whole = x_SNC.reshape(-1, rows, columns, h, w, channels).transpose(2, 3)
    return whole.reshape(-1, rows * h, columns * w, channels)[:, :height, :width]


def inside(height: int, width: int, h: int, w: int, x_SNC: Tensor) -> Tensor | None:
    """Which positions of windows are of the map, bool (B x windows, 1, 1, h x w); None where all are.

    Args:
        height, width: of the map.
        h, w: of a window.
        x_SNC: the windows of B maps.
    """
    if height % h == 0 and width % w == 0:
        return None
    one = into_windows(x_SNC.new_ones(1, height, width, 1), h, w).transpose(1, 2)[:, None] > 0
    return one.repeat(x_SNC.shape[0] // one.shape[0], 1, 1, 1)
