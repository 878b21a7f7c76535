"""SparK: masked image modelling for convolutions; a network sees some patches, a decoder paints the others."""

from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from trainables.deploy import Deployable, MapBackbone, evaluating
from trainables.objectives._densifying import Decoder, Densify
from trainables.objectives._freezing import freeze_unused
from trainables.objectives._masked_convolution import masked as masked_network
from trainables.objectives._masked_convolution import visible_at
from trainables.objectives._views import random_mask
from trainables.plan import Batch

PAPER = "https://arxiv.org/abs/2301.03580"
LABELS = False
SUPPORTS = ("map",)
COMPARES = None
SOURCE = "own"
PER_WORKER = "each worker draws the masks of its own images"
FIXED_SIDE = False
ON_FEATURES = False
NEEDS = ()
ORDERS = ()
AT_MOST = ()


def passes(**knobs: object) -> float:
    """One masked image; the decoder's passes, which are not the backbone's, are not counted."""
    del knobs
    return 1.0


def objective(
    network: Deployable, *, masked: float = 0.6, grid: int = 4, decoder_width: int = 64, scales: int = 4
) -> nn.Module:
    """Squared error of hidden patches, each normalised by its own mean and deviation over pixels and channels.

    Args:
        network: of convolutions, with timm's ``forward_intermediates``; what follows its last map is frozen.
        masked: share of the patches that is hidden.
        grid: least number of patches to a side; more where the last map has more positions.
        decoder_width: channels of the decoder at the coarsest map, halved with every doubling of the side.
        scales: how many of the coarsest maps the decoder sees.

    Raises:
        ValueError: the network has no maps, or layers that cannot be masked.
    """
    if decoder_width < 1 or scales < 1:
        raise ValueError(f"objective 'spark': decoder_width {decoder_width} and scales {scales} must be 1 or more")
    return _SparK(network, masked, grid, decoder_width, scales)


def patch_error(predicted_BCHW: Tensor, image_BCHW: Tensor, hidden_B1UU: Tensor) -> Tensor:
    """Mean squared error at hidden pixels, against the image normalised within each patch, its channels together.

    The deviation is the unbiased one, as in the authors' code.
    """
    side, units = image_BCHW.shape[-1], hidden_B1UU.shape[-1]
    values = image_BCHW.shape[1] * (side / units) ** 2  # of a patch, all channels together

    def of_patch(x: Tensor) -> Tensor:
        pooled_B1UU = F.adaptive_avg_pool2d(x.mean(dim=1, keepdim=True), units)
        return F.interpolate(pooled_B1UU, size=(side, side), mode="nearest")

    centred_BCHW = image_BCHW - of_patch(image_BCHW)
    variance_B1HW = of_patch(centred_BCHW**2) * values / max(values - 1, 1)
    target_BCHW = centred_BCHW / (variance_B1HW + 1e-6).sqrt()
    hidden_B1HW = F.interpolate(hidden_B1UU.float(), size=(side, side), mode="nearest")
    error = (predicted_BCHW - target_BCHW) ** 2 * hidden_B1HW
    return error.sum() / (hidden_B1HW.sum() * image_BCHW.shape[1])


class _SparK(nn.Module):
    def __init__(self, network: Deployable, share: float, grid: int, width: int, scales: int) -> None:
        super().__init__()
        if not hasattr(network.network, "forward_intermediates"):
            raise ValueError(f"objective 'spark' needs maps of several sizes, which {type(network.network)} has not")
        self.network = network
        self._scales = scales
        freeze_unused(network, lambda image: self.maps(image, None))
        image = network.blank()
        with torch.no_grad(), evaluating(network):
            coarsest = self.maps(image, None)[0]
            self._units = max(coarsest.shape[-1], min(grid, network.resolution))
            visible_B1UU = torch.ones(1, 1, self._units, self._units, dtype=torch.bool, device=image.device)
            maps = self.maps(image, visible_B1UU)  # refuses what cannot be masked
        self._share = share
        sides, layer_norm = [map_BCHW.shape[-1] for map_BCHW in maps], not _has_batch_norm(network)
        self.decoder = Decoder(sides, side=network.resolution, width=width, channels=image.shape[1])
        self.densify = nn.ModuleList(
            Densify(map_BCHW.shape[1], self.decoder.widths[entry], 1 if entry == 0 else 3, layer_norm=layer_norm)
            for map_BCHW, entry in zip(maps, self.decoder.entries, strict=True)
        )

    def maps(self, image_BCHW: Tensor, visible_B1UU: Tensor | None) -> list[Tensor]:
        """The last map of each size, coarsest first, of images in [0, 1] of which only some units are seen.

        A map as fine as the image, which only a stem of stride 1 has, is left out: no block of the decoder is its own.
        """
        x_BCHW, body = self.network.prepared(image_BCHW), cast(MapBackbone, self.network.network)
        if visible_B1UU is None:
            last, all_maps = body.forward_intermediates(x_BCHW)
        else:
            with masked_network(self.network.network, visible_B1UU):
                shown_BCHW = x_BCHW * visible_at(visible_B1UU, *x_BCHW.shape[-2:])
                last, all_maps = body.forward_intermediates(shown_BCHW)
        by_side = {map_BCHW.shape[-1]: map_BCHW for map_BCHW in [*all_maps, last]}
        coarser = [side for side in sorted(by_side) if side < x_BCHW.shape[-1]]
        return [by_side[side] for side in coarser[: self._scales]] or [last]

    def forward(self, batch: Batch, generator: torch.Generator) -> Tensor:
        """The loss of this worker's images."""
        image_BCHW = batch.image_BCHW
        visible = round((1 - self._share) * self._units**2)  # the authors round what is seen
        hidden_B1UU = random_mask(len(image_BCHW), self._units, self._units**2 - visible, generator)
        hidden_B1UU = hidden_B1UU.to(image_BCHW.device)
        maps = self.maps(image_BCHW, ~hidden_B1UU)
        dense = [densify(map_BCHW, ~hidden_B1UU) for densify, map_BCHW in zip(self.densify, maps, strict=True)]
        target_BCHW = self.network.prepared(image_BCHW)
        painted_BCHW = F.interpolate(self.decoder(dense), size=target_BCHW.shape[-2:], mode="nearest")
        return patch_error(painted_BCHW, target_BCHW, hidden_B1UU)


def _has_batch_norm(network: nn.Module) -> bool:
    return any(isinstance(module, _BatchNorm) for module in network.modules())
