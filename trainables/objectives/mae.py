"""MAE: the encoder sees a quarter of the patches, a small decoder predicts the pixels of the others."""

import torch
from torch import Tensor, nn

from trainables.deploy import Deployable
from trainables.objectives._error_over_mean import ErrorWatch
from trainables.objectives._freezing import freeze_unused
from trainables.objectives._patch_decoder import PatchDecoder, check_width
from trainables.objectives._patches import at, normalised, patches
from trainables.objectives._visible import check_share, encoded, grid_of, scattered
from trainables.plan import Batch

PAPER = "https://arxiv.org/abs/2111.06377"
LABELS = False
SUPPORTS = ("sequence",)
COMPARES = None
SOURCE = "own"
PER_WORKER = "each worker draws the masks of its own images"
FIXED_SIDE = True  # the decoder's positions fit the resolution
ON_FEATURES = False
NEEDS = ()
ORDERS = ()
AT_MOST = ()


def passes(*, masked: float = 0.75, **knobs: object) -> float:
    """The share of the tokens that is encoded; the decoder, which is not the backbone, is not counted."""
    del knobs
    return 1.0 - masked


def objective(
    network: Deployable, *, masked: float = 0.75, decoder_width: int = 64, decoder_depth: int = 2
) -> nn.Module:
    """Squared error of hidden patches, each normalised by its own mean and unbiased variance.

    Args:
        network: whose blocks take any part of the tokens; its classifier and pooling are frozen.
        masked: share of the patches that is hidden; the number shown is rounded down, but at least one.
        decoder_width, decoder_depth: of the decoder, in heads of 16.

    Raises:
        ValueError: the network cannot leave tokens out, or one of the knobs cannot be.
    """
    return _MAE(network, masked, decoder_width, decoder_depth)


def patch_error(predicted_BMD: Tensor, target_BMD: Tensor) -> Tensor:
    """Mean over hidden patches of the mean squared error of a patch."""
    return (predicted_BMD - target_BMD).square().mean()


class _MAE(ErrorWatch):
    def __init__(self, network: Deployable, masked: float, width: int, depth: int) -> None:
        super().__init__()
        check_share(masked, "objective 'mae'")
        check_width(width, "objective 'mae'")
        self.network, self._grid = network, grid_of(network, "objective 'mae'")
        self._hidden = self._grid.places - int(self._grid.places * (1 - masked))
        self.decoder = PatchDecoder(self._grid, width=width, depth=depth, outputs=self._grid.pixels)
        freeze_unused(network, lambda image: encoded(network, image))

    def forward(self, batch: Batch, generator: torch.Generator) -> Tensor:
        """The loss of this worker's images."""
        image_BCHW = batch.image_BCHW
        shown, hidden = scattered(len(image_BCHW), self._grid, self._hidden, generator)
        shown_BM, hidden_BM = shown.to(image_BCHW.device), hidden.to(image_BCHW.device)
        target_BMD = at(normalised(patches(self.network.prepared(image_BCHW), self._grid.patch)), hidden_BM)
        loss = patch_error(at(self.predicted(image_BCHW, shown_BM), hidden_BM), target_BMD)
        self.errors.note(loss, target_BMD.square().mean())
        return loss

    def predicted(self, image_BCHW: Tensor, shown_BM: Tensor) -> Tensor:
        """Normalised patches (B, N, D) of all places, from those shown."""
        predicted_BND: Tensor = self.decoder(encoded(self.network, image_BCHW, shown_BM), shown_BM)
        return predicted_BND
