"""CroCo: a masked image is completed with the help of another image of the same scene."""

import torch
from torch import Tensor, nn

from trainables.batches.order import Grouped
from trainables.deploy import Deployable
from trainables.objectives._cross_attention import PairBlock
from trainables.objectives._error_over_mean import ErrorWatch
from trainables.objectives._freezing import freeze_unused
from trainables.objectives._patch_decoder import PatchDecoder, check_width
from trainables.objectives._patches import at, normalised, patches
from trainables.objectives._views import Views
from trainables.objectives._visible import Grid, check_share, encoded, grid_of, scattered
from trainables.plan import Batch

PAPER = "https://arxiv.org/abs/2210.10716"
LABELS = False
SUPPORTS = ("sequence",)
COMPARES = None
SOURCE = "own"
PER_WORKER = "each worker draws the masks and views of its own images"
FIXED_SIDE = True  # the decoder's positions fit the resolution
ON_FEATURES = False
NEEDS = (("pairs", "group"), ("gap", "frame"))
ORDERS = (("pairs", 2),)
AT_MOST = ()

PAIRS = ("views", "group")


def passes(*, masked: float = 0.9, **knobs: object) -> float:
    """The share of one image's tokens that is encoded, and all of the other's."""
    del knobs
    return 2.0 - masked


def objective(
    network: Deployable,
    *,
    masked: float = 0.9,
    pairs: str = "views",
    gap: int = 0,
    crop: float = 0.6,
    jitter: float = 0.2,
    flip: float = 0.0,
    decoder_width: int = 64,
    decoder_depth: int = 2,
) -> nn.Module:
    """Squared error of hidden patches, each normalised by its own mean and unbiased variance.

    Args:
        network: whose blocks take any part of the tokens; its classifier and pooling are frozen.
        masked: share of the patches that is hidden, rounded down, but at least one.
        pairs: ``views``, two of each image, as ``crop``, ``jitter`` and ``flip`` draw them; or ``group``, two
            images of one group (object, clip, scene), each of which is completed from the other.
        gap: frames that two images of a group lie apart at most, by the field ``frame``; 0 for any.
        crop, jitter, flip: of the views, see ``trainables.objectives._views``.
        decoder_width, decoder_depth: of the decoder, in heads of 16.

    Raises:
        ValueError: the network cannot leave tokens out, or one of the knobs cannot be.
    """
    what = "objective 'croco'"
    check_share(masked, what)
    check_width(decoder_width, what)
    if pairs not in PAIRS:
        raise ValueError(f"{what}: pairs is {' or '.join(PAIRS)}, given '{pairs}'")
    if gap < 0 or (gap and pairs == "views"):
        raise ValueError(f"{what}: gap is of pairs of a group, and at least 0, given {gap} with pairs '{pairs}'")
    grid = grid_of(network, what)
    decoder = PairDecoder(grid, width=decoder_width, depth=decoder_depth)
    views = Views(crop=crop, jitter=jitter, flip=flip) if pairs == "views" else None
    order = None if views is not None else Grouped(per=2, within=gap)
    return _CroCo(network, grid, int(masked * grid.places), decoder, views, order)


class PairDecoder(PatchDecoder):
    """MAE's decoder whose blocks also read the tokens of another image.

    Args:
        grid: of the encoder.
        width, depth: of the blocks.
    """

    def __init__(self, grid: Grid, *, width: int, depth: int) -> None:
        super().__init__(grid, width=width, depth=0, outputs=grid.pixels)
        self.pair_blocks = nn.ModuleList(PairBlock(width) for _ in range(depth))

    def completed(self, token_BTF: Tensor, place_BM: Tensor, other_BTF: Tensor) -> Tensor:
        """Predictions (B, N, D) from tokens of the places shown and from all tokens of the other image."""
        x_BTD, everywhere_BN = self.placed(token_BTF, place_BM), torch.arange(len(self.position_ND))
        memory_BTD = self.placed(other_BTF, everywhere_BN.to(place_BM.device).expand(len(other_BTF), -1))
        for block in self.pair_blocks:
            x_BTD = block(x_BTD, memory_BTD)
        predicted_BND: Tensor = self.predict(self.norm(x_BTD)[:, self._prefix :])
        return predicted_BND


class _CroCo(ErrorWatch):
    def __init__(
        self,
        network: Deployable,
        grid: Grid,
        hidden: int,
        decoder: PairDecoder,
        views: Views | None,
        order: Grouped | None,
    ) -> None:
        super().__init__()
        self.network, self.decoder = network, decoder
        self._grid, self._hidden, self._views = grid, hidden, views
        self.order = order  # two images of a group, one after the other; none where an image is its own pair
        freeze_unused(network, lambda image: encoded(network, image))

    def forward(self, batch: Batch, generator: torch.Generator) -> Tensor:
        """The loss of this worker's images."""
        first_BCHW, second_BCHW = self.pairs_of(batch, generator)
        return self.error(first_BCHW, second_BCHW, generator)

    def pairs_of(self, batch: Batch, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """What is completed, and from what."""
        image_BCHW = batch.image_BCHW
        if self._views is not None:
            return self._views.of(image_BCHW, generator, number=0), self._views.of(image_BCHW, generator, number=1)
        return image_BCHW, image_BCHW.reshape(-1, 2, *image_BCHW.shape[1:]).flip(1).flatten(0, 1)

    def error(self, first_BCHW: Tensor, second_BCHW: Tensor, generator: torch.Generator) -> Tensor:
        """The loss of completing the first from the second."""
        places = scattered(len(first_BCHW), self._grid, self._hidden, generator)
        shown_BM, hidden_BH = (place.to(first_BCHW.device) for place in places)
        shown_BTF, other_BTF = encoded(self.network, first_BCHW, shown_BM), encoded(self.network, second_BCHW)
        target_BHD = at(normalised(patches(self.network.prepared(first_BCHW), self._grid.patch)), hidden_BH)
        predicted_BHD = at(self.decoder.completed(shown_BTF, shown_BM, other_BTF), hidden_BH)
        loss = (predicted_BHD - target_BHD).square().mean()
        self.errors.note(loss, target_BHD.square().mean())
        return loss
