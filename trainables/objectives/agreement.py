"""Agreement with an earlier stage: pooled features of the whole image are near those that a frozen teacher has of it.

Self-distillation for further pretraining (Lee et al. 2023): beside a masked objective, it keeps a network near its
teacher, which has done the same further pretraining before it (``pretraining.stages: distilled``). The paper has it for
transformers; here it joins any objective without labels, so for convolutions too.
"""

import torch
from torch import Tensor, nn

from trainables.deploy import Deployable
from trainables.objectives._freezing import freeze_unused
from trainables.plan import Batch

PAPER = "https://arxiv.org/abs/2210.02871"
LABELS = False
SUPPORTS = ("map", "tokens")
COMPARES = "features"
SOURCE = "own"
PER_WORKER = None
FIXED_SIDE = False
ON_FEATURES = False
NEEDS = ()
ORDERS = ()
AT_MOST = ()


def passes(**knobs: object) -> float:
    """One whole image, and the teacher's pass of it without gradients."""
    del knobs
    return 4 / 3


def objective(network: Deployable, *, teacher: nn.Module) -> nn.Module:
    """Squared distance of pooled features, summed over features, mean over images, as in the authors' code.

    Args:
        network: the student; its classifier is frozen.
        teacher: with as many features, in evaluation mode; neither trained nor kept in checkpoints.

    Raises:
        ValueError: the teacher has other features.
    """
    width = teacher.width if isinstance(teacher, Deployable) else None
    if width != network.width:
        raise ValueError(
            f"agreement compares {network.width} features with those of a teacher of the same form, given one with "
            f"{'none' if width is None else width}"
        )
    return _Agreement(network, teacher)


class _Agreement(nn.Module):
    def __init__(self, network: Deployable, teacher: nn.Module) -> None:
        super().__init__()
        self.network = network
        self._teacher = (teacher,)  # in a tuple, so that it is no submodule: it keeps its mode and is not saved
        freeze_unused(network, network.pooled)

    def forward(self, batch: Batch, generator: torch.Generator) -> Tensor:
        """The loss of this worker's images; draws nothing."""
        del generator
        (teacher,) = self._teacher
        assert isinstance(teacher, Deployable)
        with torch.no_grad():
            target_BF = teacher.pooled(batch.image_BCHW)
        distance: Tensor = (self.network.pooled(batch.image_BCHW) - target_BF).square().sum(dim=1).mean()
        return distance
