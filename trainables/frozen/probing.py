"""Training of a classifier on features of a body that rests, in place of the images."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from inspect import signature
from typing import Any

import torch
from torch import Tensor, nn

from spaces import components
from spaces.candidate import Candidate
from trainables.deploy import Deployable
from trainables.frozen.body import Recorded, RestingBody
from trainables.frozen.store import store_of_machine
from trainables.joint import load
from trainables.photographs import Photographs
from trainables.plan import Plan, Stage
from trainables.splits import Images, Pictures


class OnFeatures(nn.Module):
    """A network's classifier, which takes pooled features where the network takes images."""

    def __init__(self, network: Deployable) -> None:
        super().__init__()
        self.classifier = network.classifier

    def forward(self, feature_NF: Tensor) -> Tensor:
        """Class scores (N, K)."""
        scores: Tensor = self.classifier(feature_NF)
        return scores


@dataclass(frozen=True, kw_only=True)
class Probing:
    """The epochs of a training in which its body rests.

    Attributes:
        whole: the plan of the training.
        objective: on features; it shares the classifier with the plan's.
        body: that rests.
        images: that are trained on.
        augmented: what the plan's transforms do.
    """

    whole: Plan
    objective: nn.Module
    body: RestingBody
    images: Images
    augmented: Mapping[str, Any]

    @property
    def plan(self) -> Plan:
        """The plan of these epochs, whose augmentation is in what they train on."""
        return replace(self.whole, transforms=())

    def covers(self, epoch: int) -> bool:
        """Whether an epoch of the schedule, counted from 1, is one of them."""
        return epoch <= self.whole.probed

    def pictures(self, epoch: int) -> Recorded:
        """What an epoch of the schedule, counted from 1, trains on."""
        return self.body.recorded(self.images, self.whole.transforms, self.augmented, epoch - 1, self.whole.classes)

    def scores(self, network: Deployable, images: Images) -> Tensor:
        """Class scores (N, K) of images, on the CPU, by the classifier of a network that has the same body."""
        device = next(network.classifier.parameters()).device
        with torch.inference_mode():
            scores_NK: Tensor = network.classifier(self.body.plain(images).to(device)).cpu()
        return scores_NK


def probing_of(
    plan: Plan, candidate: Candidate, recipe: Mapping[str, Any], images: Pictures, objective: str
) -> Probing | None:
    """The epochs of a plan that can train on features; None if it has none, so that all train on images.

    Features cannot stand for images where the objective reads more of them than scores or the recipe their fields,
    where augmentation changes from epoch to epoch or is done image by image while they are read, or where there are too
    many images to keep.

    Args:
        plan: complete.
        candidate: whose network it trains.
        recipe: that it was composed from.
        images: that it trains on.
        objective: file in ``trainables/objectives``.
    """
    module = load(objective)
    # The adaptation has one hook at most, and says so; more are augmentations that change.
    changes = len(plan.before_epoch) > plan.thaws
    if not plan.probed or changes or plan.square or plan.order or plan.fields or not module.ON_FEATURES:
        return None
    if not isinstance(images, Images) or isinstance(images.image_NCHW, Photographs):
        return None
    network = plan.built()
    assert isinstance(network, Deployable)
    body = resting(network, candidate)
    if not body.keeps(len(images), plan.classes):
        return None
    own = module.objective(OnFeatures(network)).to(next(network.parameters()).device)
    return Probing(whole=plan, objective=own, body=body, images=images, augmented=augmentation_of(recipe))


def resting(network: Deployable, candidate: Candidate) -> RestingBody:
    """A candidate's network as a body that stays as it is now, whose features this machine keeps."""
    architecture = {"backbone": candidate.backbone, "architecture": dict(candidate.architecture)}
    return RestingBody(network, architecture, store_of_machine())


def augmentation_of(recipe: Mapping[str, Any]) -> dict[str, Any]:
    """What a recipe does to batches: its values of stage ``BATCH`` that differ from the default and from off."""
    described = {}
    for address, value in recipe.items():
        name, _, keyword = address.partition(".")
        module = components.load(components.INGREDIENTS, name)
        if module.STAGE != Stage.BATCH:
            continue
        parameter = signature(module.apply).parameters.get(keyword)
        neutral = {**({} if parameter is None else {keyword: parameter.default}), **(module.OFF or {})}
        if value != neutral.get(keyword):
            described[address] = value
    return described
