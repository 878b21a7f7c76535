"""What stands between the features and the loss of an objective that compares views, and what it does to them."""

import torch
from lightly.models.modules.heads import ProjectionHead
from torch import Tensor, nn

OUTPUTS = 128
"""Most outputs of a projection."""

Block = tuple[int, int, nn.Module | None, nn.Module | None]
"""Inputs, outputs, normalisation and activation of a layer."""


class Projection(nn.Module):
    """Linear layers, or none, and a fixed weight for each output (Xue et al. 2024, https://arxiv.org/abs/2403.11391).

    Hidden layers are followed by batch normalisation and ReLU. What is kept of a pretrained network ends below.

    Args:
        inputs: number of features.
        width: of the hidden layers; the last is at most 128 wide.
        layers: how many; 0 leaves the features as they are, 1 is linear.
        kappa: output ``i``, from 0, is divided by ``kappa ** i``; 1 is off.
        norm: whether the last layer is normalised, too, as SimCLR's is and SwAV's is not.

    Raises:
        ValueError: fewer than no layers, or a ``kappa`` below 1.
    """

    weight_E: Tensor

    def __init__(self, inputs: int, *, width: int, layers: int, kappa: float, norm: bool) -> None:
        super().__init__()
        if layers < 0 or kappa < 1:
            raise ValueError(
                f"a projection has 0, 1 or more layers and a kappa of at least 1, given {layers} and {kappa}"
            )
        self.outputs = min(width, OUTPUTS) if layers else inputs
        hidden = [(inputs if layer == 0 else width, width) for layer in range(layers - 1)]
        blocks: list[Block] = [(before, after, nn.BatchNorm1d(after), nn.ReLU()) for before, after in hidden]
        if layers:
            before = width if hidden else inputs
            blocks.append((before, self.outputs, nn.BatchNorm1d(self.outputs) if norm else None, None))
        self.layers = ProjectionHead(blocks).layers
        weight_E = float(kappa) ** -torch.arange(self.outputs, dtype=torch.float32)
        self.register_buffer("weight_E", weight_E, persistent=False)
        self._kappa = kappa

    def forward(self, feature_BF: Tensor) -> Tensor:
        """Outputs, shape (B, E)."""
        projected_BE: Tensor = self.layers(feature_BF)
        return projected_BE if self._kappa == 1 else projected_BE * self.weight_E


def rank_of(feature_BF: Tensor) -> float:
    """How many directions the features of a batch take up: e to the entropy of their shares of the singular values.

    From 1, all on one line, to the smaller of B - 1 and F, even in all directions (Roy and Vetterli 2007); features are
    centred first. 1 where all are the same.
    """
    centred_BF = feature_BF.detach().double()
    spread_D = torch.linalg.svdvals(centred_BF - centred_BF.mean(dim=0))
    share_D = spread_D / spread_D.sum().clamp_min(1e-12)
    return float(torch.special.entr(share_D).sum().exp())
