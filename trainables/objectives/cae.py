"""CAE: a regressor guesses what the encoder would make of hidden patches, and a decoder paints them from its guess."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trainables.deploy import Deployable, evaluating
from trainables.objectives._cross_attention import CrossBlock
from trainables.objectives._error_over_mean import ErrorWatch
from trainables.objectives._freezing import freeze_unused
from trainables.objectives._patch_decoder import check_width, mask_token, positions, self_attention
from trainables.objectives._patches import at, normalised, patches
from trainables.objectives._visible import Grid, check_share, encoded, grid_of, in_blocks, scattered
from trainables.plan import Batch

PAPER = "https://arxiv.org/abs/2202.03026"
LABELS = False
SUPPORTS = ("sequence",)
COMPARES = None
SOURCE = "own"
PER_WORKER = "each worker draws the masks of its own images"
FIXED_SIDE = True  # the regressor's positions fit the resolution
ON_FEATURES = False
NEEDS = ()
ORDERS = ()
AT_MOST = ()

TARGETS = ("pixels", "codes")


def passes(*, masked: float = 0.5, alignment: float = 0.1, **knobs: object) -> float:
    """The share of tokens shown, and for the alignment a pass without gradients of those hidden."""
    del knobs
    return 1.0 - masked + (masked / 3 if alignment else 0.0)


def objective(
    network: Deployable,
    *,
    masked: float = 0.5,
    block: bool = True,
    target: str = "pixels",
    codes: int = 256,
    alignment: float = 0.1,
    width: int = 64,
    regressor_depth: int = 2,
    decoder_depth: int = 1,
) -> nn.Module:
    """Prediction error of hidden patches, and how far the regressor's guess is from what the encoder makes of them.

    The path of information is the paper's: the decoder sees the regressor's output and positions, and no token of the
    encoder. The encoder of the alignment's target is the same network without gradients, which sees the hidden patches
    alone.

    Args:
        network: whose blocks take any part of the tokens; its classifier and pooling are frozen.
        masked: share of the patches that is hidden, rounded down, but at least one.
        block: whether rectangles are hidden, or places drawn alone.
        target: normalised ``pixels``, or ``codes``: which of some random unit vectors is nearest to a random
            projection of the patch. These stand in for the paper's external tokenizer: nothing is fitted.
        codes: number of those.
        alignment: weight of the distance, between tokens that are normalised as by a layer norm; 0 leaves that pass
            out. The paper has 2 beside a cross-entropy of 8,192 codes; beside pixels that overrules the prediction, and
            the encoder learns to make all tokens alike (docs/components.md).
        width: of regressor and decoder, in heads of 16.
        regressor_depth, decoder_depth: blocks of each.

    Raises:
        ValueError: the network cannot leave tokens out, or one of the knobs cannot be.
    """
    what = "objective 'cae'"
    check_share(masked, what)
    check_width(width, what)
    if target not in TARGETS or codes < 2 or alignment < 0:
        raise ValueError(
            f"{what}: target is {' or '.join(TARGETS)}, codes 2 or more and alignment 0 or more, given '{target}', "
            f"{codes} and {alignment}"
        )
    grid = grid_of(network, what)
    goal = _Pixels() if target == "pixels" else _Codes(grid.pixels, codes)
    outputs = grid.pixels if target == "pixels" else codes
    regressor = Regressor(grid, width=width, depth=regressor_depth, decoder_depth=decoder_depth, outputs=outputs)
    return _CAE(network, grid, masked, block, goal, alignment, regressor)


class Regressor(nn.Module):
    """From encoded tokens of places shown to guesses of what is hidden, and from those to predictions.

    Args:
        grid: of the encoder.
        width: of both parts.
        depth, decoder_depth: blocks of cross-attention, and of attention among the guesses.
        outputs: numbers predicted at a place.
    """

    position_ND: Tensor

    def __init__(self, grid: Grid, *, width: int, depth: int, decoder_depth: int, outputs: int) -> None:
        super().__init__()
        self._prefix = grid.prefix
        self.token = mask_token(width)
        self.register_buffer("position_ND", positions(grid, width), persistent=False)
        self.embed = nn.Linear(grid.width, width)
        self.reads = nn.ModuleList(CrossBlock(width) for _ in range(depth))
        self.latent = nn.Linear(width, grid.width)
        self.inward = nn.Linear(grid.width, width)
        self.decodes = nn.Sequential(*(self_attention(width) for _ in range(decoder_depth)))
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self.predict = nn.Linear(width, outputs)
        nn.init.zeros_(self.predict.weight)
        nn.init.zeros_(self.predict.bias)

    def guessed(self, token_BTF: Tensor, shown_BM: Tensor, hidden_BH: Tensor) -> Tensor:
        """What the encoder may make of hidden places, (B, H, F), from its tokens of those shown."""
        position_BND = self.position_ND.expand(len(token_BTF), -1, -1)
        embedded_BTD = self.embed(token_BTF)
        prefix_BPD, shown_BMD = embedded_BTD[:, : self._prefix], embedded_BTD[:, self._prefix :]
        memory_BTD = torch.cat([prefix_BPD, shown_BMD + at(position_BND, shown_BM)], dim=1)
        position_BHD = at(position_BND, hidden_BH)
        query_BHD = self.token.expand_as(position_BHD)
        for block in self.reads:
            query_BHD = block(query_BHD, memory_BTD, position_BQD=position_BHD)
        guess_BHF: Tensor = self.latent(query_BHD)
        return guess_BHF

    def predicted(self, guess_BHF: Tensor, hidden_BH: Tensor) -> Tensor:
        """Predictions (B, H, outputs) of hidden places from the guesses alone."""
        position_BHD = at(self.position_ND.expand(len(guess_BHF), -1, -1), hidden_BH)
        predicted_BHO: Tensor = self.predict(self.norm(self.decodes(self.inward(guess_BHF) + position_BHD)))
        return predicted_BHO


class _Pixels(nn.Module):
    """Squared error of normalised patches."""

    def forward(self, predicted_BHO: Tensor, patch_BHP: Tensor) -> tuple[Tensor, Tensor]:
        """The error, and that of the mean."""
        target_BHP = normalised(patch_BHP)
        return F.mse_loss(predicted_BHO, target_BHP), target_BHP.square().mean()


class _Codes(nn.Module):
    """Cross-entropy of the code of a patch: which random unit vector is nearest to its random projection."""

    project_PE: Tensor
    code_KE: Tensor

    def __init__(self, pixels: int, codes: int, width: int = 16) -> None:
        super().__init__()
        self.register_buffer("project_PE", torch.randn(pixels, width))
        self.register_buffer("code_KE", F.normalize(torch.randn(codes, width)))

    def code(self, patch_BHP: Tensor) -> Tensor:
        """Code numbers (B, H)."""
        return (F.normalize(patch_BHP @ self.project_PE, dim=-1) @ self.code_KE.T).argmax(-1)

    def forward(self, predicted_BHK: Tensor, patch_BHP: Tensor) -> tuple[Tensor, Tensor]:
        """The cross-entropy, and the entropy of the codes of these patches."""
        code_M = self.code(patch_BHP).flatten()
        share_K = code_M.bincount(minlength=len(self.code_KE)).float() / len(code_M)
        return F.cross_entropy(predicted_BHK.flatten(0, 1), code_M), torch.special.entr(share_K).sum()


class _CAE(ErrorWatch):
    def __init__(
        self,
        network: Deployable,
        grid: Grid,
        masked: float,
        block: bool,
        goal: nn.Module,
        alignment: float,
        regressor: Regressor,
    ) -> None:
        super().__init__()
        self.network, self.regressor, self.goal = network, regressor, goal
        self._grid, self._hidden, self._alignment = grid, int(masked * grid.places), alignment
        self._drawn = in_blocks if block else scattered
        freeze_unused(network, lambda image: encoded(network, image))

    def forward(self, batch: Batch, generator: torch.Generator) -> Tensor:
        """The loss of this worker's images."""
        image_BCHW = batch.image_BCHW
        places = self._drawn(len(image_BCHW), self._grid, self._hidden, generator)
        shown_BM, hidden_BH = (place.to(image_BCHW.device) for place in places)
        guess_BHF = self.regressor.guessed(encoded(self.network, image_BCHW, shown_BM), shown_BM, hidden_BH)
        patch_BHP = at(patches(self.network.prepared(image_BCHW), self._grid.patch), hidden_BH)
        error, trivial = self.goal(self.regressor.predicted(guess_BHF, hidden_BH), patch_BHP)
        self.errors.note(error, trivial)
        loss: Tensor = error
        if self._alignment:
            target_BHF = self.latents(image_BCHW, hidden_BH)
            width = target_BHF.shape[-1:]  # the scale of tokens is free where a norm follows their pooling
            distance = F.mse_loss(F.layer_norm(guess_BHF, width), F.layer_norm(target_BHF, width))
            loss = loss + self._alignment * distance
        return loss

    @torch.no_grad()
    def latents(self, image_BCHW: Tensor, hidden_BH: Tensor) -> Tensor:
        """What the encoder makes of hidden patches alone, (B, H, F), as in evaluation."""
        with evaluating(self.network):
            return encoded(self.network, image_BCHW, hidden_BH)[:, self._grid.prefix :]
