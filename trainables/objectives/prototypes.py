"""Class prototypes: an image's direction is told which prototype is its class's, by cosines.

It is the part of M3I that maximises the information between an image and its label.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trainables.deploy import Deployable
from trainables.objectives._freezing import freeze_unused
from trainables.objectives._projection import Projection
from trainables.plan import Batch

PAPER = "https://arxiv.org/abs/2211.09807"
LABELS = True
SUPPORTS = ("map", "tokens")
COMPARES = None
SOURCE = "own"
PER_WORKER = None
FIXED_SIDE = False
ON_FEATURES = False
NEEDS = ()
ORDERS = ()
AT_MOST = ()


def passes(**knobs: object) -> float:
    """One pass an image."""
    del knobs
    return 1.0


def objective(
    network: Deployable, *, temperature: float = 0.1, layers: int = 1, width: int = 64, classes: int | None = None
) -> nn.Module:
    """Mean cross-entropy of softmax(cosine with each prototype / temperature).

    Args:
        network: whose pooled features are trained; its classifier is frozen.
        temperature: divides the cosines.
        layers, width: of the projection, see ``trainables.objectives._projection``.
        classes: how many prototypes; as many as the network has class scores by default. Where a picture shows several
            things, each has an equal share of the target.

    Raises:
        ValueError: a temperature that is not above 0.
    """
    if not temperature > 0:
        raise ValueError(f"prototypes: temperature is above 0, given {temperature}")
    head = Projection(network.width, width=width, layers=layers, kappa=1.0, norm=False)
    return _Prototypes(network, head, network.scored if classes is None else classes, temperature)


class _Prototypes(nn.Module):
    def __init__(self, network: Deployable, head: Projection, classes: int, temperature: float) -> None:
        super().__init__()
        self.network = network
        freeze_unused(network, network.pooled)
        self.head, self._temperature = head, temperature
        self.prototypes = nn.Linear(head.outputs, classes, bias=False)

    def forward(self, batch: Batch, generator: torch.Generator) -> Tensor:
        """The loss; draws nothing."""
        del generator
        own_BE = F.normalize(self.head(self.network.pooled(batch.image_BCHW)))
        score_BK = F.linear(own_BE, F.normalize(self.prototypes.weight)) / self._temperature
        return F.cross_entropy(score_BK, batch.target_BK / batch.target_BK.sum(dim=1, keepdim=True))
