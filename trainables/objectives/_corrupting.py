"""Blocks of images filled with noise or grey, or taken from other images."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from trainables.deploy import Deployable


@dataclass(frozen=True, slots=True, kw_only=True)
class Corruption:
    """How blocks of a grid are spoilt.

    Attributes:
        dropped, replaced: shares of the blocks that are filled, and that come from another image; together at most 1.
        noisy: whether filled blocks hold noise of the images' mean and deviation, or else that mean.
        aligned: whether what comes from another image is from the same place.
        grid: blocks to a side.
    """

    dropped: float
    replaced: float = 0.0
    noisy: bool = False
    aligned: bool = True
    grid: int = 4

    @property
    def units(self) -> int:
        """How many blocks of an image are spoilt."""
        return round(self.dropped * self.grid**2) + round(self.replaced * self.grid**2)

    def of(self, image_BCHW: Tensor, network: Deployable, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """The spoilt images, in [0, 1], and where they are spoilt, bool (B, 1, H, W).

        Args:
            image_BCHW: in [0, 1].
            network: whose normalisation gives mean and deviation.
            generator: on the CPU.
        """
        count, units = len(image_BCHW), self.grid**2
        rank_BU = torch.rand(count, units, generator=generator).argsort(dim=1).argsort(dim=1)
        dropped, replaced = round(self.dropped * units), round(self.replaced * units)
        filled_B1HW = self._shown(rank_BU < dropped, image_BCHW)
        other_B1HW = self._shown((rank_BU >= dropped) & (rank_BU < dropped + replaced), image_BCHW)
        fill_BCHW = network.mean.expand_as(image_BCHW)
        if self.noisy:
            noise_BCHW = torch.randn(image_BCHW.shape, generator=generator).to(image_BCHW.device)
            fill_BCHW = fill_BCHW + network.std * noise_BCHW
        other_BCHW = image_BCHW.roll(1, dims=0)  # the order of images is random
        if not self.aligned:
            down, across = torch.randint(self.grid, (2,), generator=generator).tolist()
            step = image_BCHW.shape[-1] // self.grid
            other_BCHW = other_BCHW.roll((down * step, across * step), dims=(2, 3))
        spoilt_BCHW = torch.where(filled_B1HW, fill_BCHW, torch.where(other_B1HW, other_BCHW, image_BCHW))
        return spoilt_BCHW, filled_B1HW | other_B1HW

    def _shown(self, unit_BU: Tensor, image_BCHW: Tensor) -> Tensor:
        """Units as pixels."""
        unit_B1GG = unit_BU.reshape(-1, 1, self.grid, self.grid).float().to(image_BCHW.device)
        return F.interpolate(unit_B1GG, size=image_BCHW.shape[-2:], mode="nearest") > 0
