"""Colours of a grey image, painted from its map and its caption (PLIP's colourisation, Zuo et al. 2023)."""

import torch
from torch import Tensor, nn

from trainables.deploy import Deployable, evaluating
from trainables.language.pairs import share_of
from trainables.maps import map_of
from trainables.objectives._colour import RED_GREEN_BLUE, grey
from trainables.objectives._densifying import Decoder


class Painting(nn.Module):
    """Squared error of the difference between an image and its grey, by a decoder that a caption turns and shifts.

    The authors have published no code of their pretraining: one layer makes a factor and a shift of every channel from
    the caption (FiLM), SparK's decoder the image.

    Args:
        network: whose last map is painted from; of images in colour.
        text: width of the captions' directions.
        width: of the decoder at that map.

    Raises:
        ValueError: images without colour, or a network without a map.
    """

    def __init__(self, network: Deployable, text: int, width: int) -> None:
        super().__init__()
        channels = network.mean.shape[1]
        if channels != RED_GREEN_BLUE:
            raise ValueError(f"clip.painted needs images in colour, of {RED_GREEN_BLUE} channels, not {channels}")
        with evaluating(network), torch.no_grad():
            map_1FHW = map_of(network, network.blank())
        self.enter = nn.Conv2d(map_1FHW.shape[1], width, 1)
        self.turn = nn.Linear(text, 2 * width)
        self.decoder = Decoder([map_1FHW.shape[-1]], side=network.resolution, width=width, channels=channels)

    def forward(self, map_BFHW: Tensor, text_BE: Tensor, image_B3HW: Tensor, there_B: Tensor) -> Tensor:
        """The mean over the images of all workers that have a caption.

        Args:
            map_BFHW: last maps of the grey images.
            text_BE: directions of the captions.
            image_B3HW: the images, at the network's resolution.
            there_B: which have a caption.
        """
        factor_BD, shift_BD = self.turn(text_BE).chunk(2, dim=1)
        entered_BDHW = self.enter(map_BFHW) * (1 + factor_BD[:, :, None, None]) + shift_BD[:, :, None, None]
        error_B = (self.decoder([entered_BDHW]) - (image_B3HW - grey(image_B3HW))).square().mean(dim=(1, 2, 3))
        loss: Tensor = (error_B * there_B).sum() * share_of(there_B)
        return loss
