"""Model soups (Wortsman et al. 2022): the mean of several trainings' weights, at the cost of one network.

Only trainings that begin from the same weights are mixed: those of others lie in different valleys of the loss, where
the mean of four has the accuracy of chance. Batch-norm statistics are computed anew, as those of the parts belong to
other features; but where all parts have the same, they rested in training (of frozen stages, or pretrained ones), and
stay what the later weights were trained behind. A soup is kept only where it is better than the best of its parts.
"""

import copy
import json
from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional
from torch.optim.swa_utils import AveragedModel

from spaces.candidate import NO_WEIGHTS, Candidate
from trainables.adapt._shape import shape_of
from trainables.plan import inputs_of
from trainables.splits import Images, Splits
from trainables.stages.pretraining import keys_of, pretrainings_of

Kind = Literal["uniform", "greedy", "learned"]
Score = Callable[[nn.Module], float]
"""Accuracy of a network on search-validation, which alone decides what is kept."""


def mixed(networks: Sequence[nn.Module], images: Images) -> nn.Module:
    """The mean of the networks' weights, with batch-norm statistics of ``images`` where theirs differ; to evaluate.

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
    _renew(_moved(soup, networks), soup, images)
    return soup


def start_of(candidate: Candidate, epochs: int, splits: Splits) -> str | None:
    """What says whether two trainings begin from the same weights; None for random ones, which no two have in common.

    Args:
        candidate: what is trained.
        epochs: length of its schedule, of which pretraining has a share.
        splits: the data, which it may be pretrained on.
    """
    stages = pretrainings_of(candidate, epochs)
    if stages:
        return keys_of(candidate, stages, splits)[-1] + _form(candidate)
    if candidate.weights == NO_WEIGHTS:
        return None
    network = [candidate.backbone, dict(candidate.architecture), candidate.weights, dict(inputs_of(candidate.recipe))]
    return json.dumps(network, sort_keys=True) + _form(candidate)


def _form(candidate: Candidate) -> str:
    """The classifier that its adaptation puts on it, if any."""
    form = shape_of(candidate)
    return json.dumps(dict(form), sort_keys=True) if form else ""


def best_soup(
    networks: Sequence[nn.Module], kind: Kind, images: Images, score: Score, held_out: Images
) -> tuple[nn.Module, list[int]]:
    """The soup if it beats the best single network, else that network; and the positions of what is in it.

    Args:
        networks: of one architecture and one beginning, at least one.
        kind: ``uniform`` mixes all; ``greedy`` goes through them from the best on and keeps one if the soup with it is
            at least as good as the one without; ``learned`` mixes all by shares that are fitted to ``held_out``.
        images: training images, for the batch-norm statistics.
        score: of a network; higher is better.
        held_out: images that none was trained on, which a learned soup is fitted to.
    """
    alone = [score(network) for network in networks]
    order = sorted(range(len(networks)), key=lambda position: -alone[position])
    best = order[0]
    if kind != "greedy":
        parts = list(range(len(networks)))
        soup = mixed(networks, images) if kind == "uniform" else learned(networks, images, held_out)
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


def learned(
    networks: Sequence[nn.Module],
    images: Images,
    held_out: Images,
    *,
    epochs: int = 5,
    batch: int = 64,
    learning_rate: float = 0.1,
) -> nn.Module:
    """The mix whose shares, and the temperature of its scores, minimise the cross-entropy on held-out images.

    Shares are a softmax, begun as equal ones; the batch order is always the same. Norms have statistics of the batch
    while shares are fitted, and those of ``images`` in the end.

    Args:
        networks: of one architecture and one beginning, at least one.
        images: training images, for the batch-norm statistics.
        held_out: labelled images that the shares are fitted to.
        epochs, batch, learning_rate: of AdamW.
    """
    soup = copy.deepcopy(networks[0])
    stacked = {
        name: torch.stack([dict(network.named_parameters())[name].detach() for network in networks])
        for name, _ in soup.named_parameters()
    }
    logit_P = torch.zeros(len(networks), requires_grad=True)
    log_scale = torch.zeros((), requires_grad=True)

    def weights() -> dict[str, Tensor]:
        share_P = logit_P.softmax(0)
        return {name: torch.tensordot(share_P, value, dims=1) for name, value in stacked.items()}

    optimizer = torch.optim.AdamW([logit_P, log_scale], lr=learning_rate, weight_decay=0.0)
    order = np.random.default_rng(0)
    norms = _moved(soup.eval(), networks)
    for norm in norms:
        norm.train()
    for _ in range(epochs):
        rows_N = order.permutation(len(held_out))
        for rows_B in np.array_split(rows_N, max(1, len(rows_N) // batch)):
            image_BCHW, label_B = held_out.batch(rows_B)
            score_BK = functional_call(soup, weights(), (image_BCHW,))
            optimizer.zero_grad()
            functional.cross_entropy(log_scale.exp() * score_BK, label_B).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
    with torch.no_grad():
        for name, value in weights().items():
            soup.get_parameter(name).copy_(value)
    _renew(norms, soup, images)
    return soup


def _moved(soup: nn.Module, networks: Sequence[nn.Module]) -> list[nn.modules.batchnorm._BatchNorm]:
    """The batch norms of a soup whose statistics followed the batches in training: they differ between its parts."""

    def differ(name: str) -> bool:
        first, *others = ([value for _, value in one.get_submodule(name).named_buffers()] for one in networks)
        return any(not torch.equal(mine, theirs) for other in others for mine, theirs in zip(first, other, strict=True))

    norms = [(name, one) for name, one in soup.named_modules() if isinstance(one, nn.modules.batchnorm._BatchNorm)]
    return [norm for name, norm in norms if differ(name)]


def _renew(norms: Sequence[nn.modules.batchnorm._BatchNorm], network: nn.Module, images: Images) -> None:
    """Give these norms of a network the statistics of the images; all else of it is in evaluation mode meanwhile."""
    network.eval()
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the mean over all batches
        norm.train()
    with torch.no_grad():
        for image_BCHW in images.batches() if norms else ():
            network(image_BCHW)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    network.eval()
