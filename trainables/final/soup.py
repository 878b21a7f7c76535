"""Model soups (Wortsman et al. 2022): the mean of several trainings' weights, at the cost of one network.

Batch-norm statistics are computed anew, as those of the parts belong to other features. Trainings that began from
different random weights seldom lie in one valley of the loss, so that a soup is kept only where it is better.
"""

import copy
from collections.abc import Callable, Sequence
from typing import Literal

from torch import nn
from torch.optim.swa_utils import AveragedModel, update_bn

from trainables.splits import Images

Kind = Literal["uniform", "greedy"]
Score = Callable[[nn.Module], float]
"""Accuracy of a network on search-validation, which alone decides what is kept."""


def mixed(networks: Sequence[nn.Module], images: Images) -> nn.Module:
    """The mean of the networks' weights, with batch-norm statistics of ``images``; in evaluation mode.

    One network is returned as it is.

    Raises:
        ValueError: no network is given.
    """
    if not networks:
        raise ValueError("a soup needs at least one network, given none")
    if len(networks) == 1:
        return networks[0]
    mean = AveragedModel(copy.deepcopy(networks[0]))
    for network in networks:
        mean.update_parameters(network)
    soup: nn.Module = mean.module
    update_bn(images.batches(), soup)
    return soup.eval()


def best_soup(networks: Sequence[nn.Module], kind: Kind, images: Images, score: Score) -> tuple[nn.Module, list[int]]:
    """The soup if it beats the best single network, else that network; and the positions of what is in it.

    Args:
        networks: of one architecture, at least one.
        kind: ``uniform`` mixes all; ``greedy`` goes through them from the best on and keeps one if the soup with it is
            at least as good as the one without.
        images: training images, for the batch-norm statistics.
        score: of a network; higher is better.
    """
    alone = [score(network) for network in networks]
    order = sorted(range(len(networks)), key=lambda position: -alone[position])
    best = order[0]
    if kind == "uniform":
        parts, soup = list(range(len(networks))), mixed(networks, images)
        reached = score(soup)
    else:
        parts, soup, reached = [best], networks[best], alone[best]
        for position in order[1:]:
            larger = mixed([networks[part] for part in (*parts, position)], images)
            value = score(larger)
            if value >= reached:
                parts, soup, reached = [*parts, position], larger, value
    if len(parts) > 1 and reached > alone[best]:
        return soup, parts
    return networks[best], [best]
