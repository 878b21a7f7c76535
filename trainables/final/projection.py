"""What a pretraining's projection leaves of the features: spread of singular values, and probes before and after it.

Xue et al. 2024 (https://arxiv.org/abs/2403.11391): training weights features more unequally layer by layer, so those
below the projection are more even, and keep what the loss does not need.
"""

from dataclasses import dataclass, replace
from itertools import islice

import torch
from torch import Tensor, nn

from spaces import components
from trainables.deploy import Deployable
from trainables.objectives._projection import rank_of
from trainables.splits import Splits
from trainables.stages.phases import Task
from trainables.stages.pretraining import pretrainings_of
from trainables.training.building import build
from trainables.training.checkpoint import Checkpoint
from trainables.training.features import Features, features_of, score
from trainables.training.trial import trial
from trainables.training.world import World

PROBES = ("nearest_mean", "linear_probe")
LEAST = 1e-6
"""Singular values below this share of the largest are taken as none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """Features of the labelled images, below or above a projection.

    Attributes:
        width: how many there are.
        rank: how many directions they take up, see ``rank_of``.
        spread: standard deviation of the logarithms of their singular values; 0 is even.
        accuracy: share of the search-validation images that a probe classifies correctly, by its name.
    """

    width: int
    rank: float
    spread: float
    accuracy: dict[str, float]


def before_and_after(task: Task, splits: Splits, checkpoint: Checkpoint) -> tuple[Side, Side]:
    """Pretrain a candidate (or go on from its checkpoint) and look at its features below and above the projection.

    Args:
        task: of a candidate whose objective has a projection.
        splits: the data; probes learn from the labels of ``train``.
        checkpoint: where the state of the pretraining is kept; of nothing else.

    Raises:
        ValueError: the candidate is not pretrained, or its objective has no projection.
    """
    stages = pretrainings_of(task.candidate, task.epochs)
    if not stages:
        raise ValueError(f"candidate {task.candidate.key} is not pretrained: it has no projection to look at")
    for _ in islice(trial(task, splits, checkpoint=checkpoint), sum(stage.reports for stage in stages)):
        pass
    saved = checkpoint.load()
    assert saved is not None
    network = build(task.candidate, splits)
    last, objective = stages[-1], None
    if len(components.parts_of(last.objective)) == 1:
        objective = components.load(components.OBJECTIVES, last.objective).objective(network, **last.knobs)
    if objective is None or not isinstance(getattr(objective, "head", None), nn.Module):
        raise ValueError(f"objective '{last.objective}' has no projection above the features")
    objective.load_state_dict({**objective.state_dict(), **saved["states"]["heads"]})
    network.load_state_dict(saved["evaluated"])
    return sides(network, objective.head, splits)


@torch.no_grad()
def sides(network: Deployable, head: nn.Module, splits: Splits) -> tuple[Side, Side]:
    """The same of a network and the projection above it, which are left in evaluation mode."""
    head.eval()
    below = features_of(network, splits.train, splits.validation, world=World(), device=torch.device("cpu"))
    above = replace(below, known_NF=head(below.known_NF), query_MF=head(below.query_MF))
    return _side(below, splits), _side(above, splits)


def spread_of(feature_NF: Tensor) -> float:
    """Standard deviation of the logarithms of the singular values of centred features."""
    value_D = torch.linalg.svdvals(feature_NF.double() - feature_NF.double().mean(dim=0))
    return float(value_D[value_D > LEAST * value_D[0]].log().std(correction=0))


def _side(features: Features, splits: Splits) -> Side:
    classes, device = len(splits.classes), torch.device("cpu")
    return Side(
        width=features.known_NF.shape[1],
        rank=rank_of(features.known_NF),
        spread=spread_of(features.known_NF),
        accuracy={probe: score(features, probe, classes=classes, world=World(), device=device) for probe in PROBES},
    )
