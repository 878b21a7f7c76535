"""A classifier that is the names of the classes, as a text tower reads them; the body and the tower rest.

What is trained is compared as CLIP compares: by cosines. What is handed on is a plain linear classifier: its scores are
those cosines times the length of an image's projection over the mean length, so that no image has another class.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trainables.adapt._resting import rest
from trainables.adapt._whole import network_of
from trainables.deploy import Deployable
from trainables.language.pairs import everywhere
from trainables.language.texts import Texts
from trainables.language.tokens import tokens
from trainables.plan import Batch, Plan

NORM_SHARE = 0.1
"""Of a batch in the running mean of lengths."""


class ByName(nn.Module):
    """Cross-entropy of the cosines of images and class names; subclasses say what of it is trained.

    Args:
        network: whose classifier is written by ``fold``.
        texts: what reads the names.
        names: of the classes.
        template: text with a place for a name.

    Raises:
        ValueError: the last layer is not linear, or the tower does not fit the network.
    """

    token_KL: Tensor
    length: Tensor

    def __init__(self, network: Deployable, texts: Texts, names: Sequence[str], template: str) -> None:
        super().__init__()
        if not isinstance(network.classifier, nn.Linear) or texts.sizes["inputs"] != network.width:
            raise ValueError(
                f"class names make a linear classifier of {texts.sizes['inputs']} features; this network ends with "
                f"{network.classifier}"
            )
        if "{}" not in template:
            raise ValueError(f"a template has a place for the name, such as 'a {{}}', given '{template}'")
        self.network, self.texts = network.requires_grad_(False), texts.requires_grad_(False)
        rest(network.modules())
        rest(texts.modules())
        token_KL = torch.from_numpy(tokens([template.format(name) for name in names], texts.tower.length)).long()
        self.register_buffer("token_KL", token_KL.to(texts.log_scale.device), persistent=False)
        self.register_buffer("length", torch.zeros((), device=texts.log_scale.device))

    def of_classes(self) -> Tensor:
        """Direction of each class, shape (K, E)."""
        return self.texts.of_tokens(self.token_KL)

    def handed_on(self) -> Tensor:
        """What ``fold`` writes for each class, shape (K, E)."""
        return self.of_classes()

    @property
    def scale(self) -> Tensor:
        """Of the cosines."""
        return self.texts.scale

    def scores(self, feature_BF: Tensor) -> Tensor:
        """Class scores (B, K) by cosines."""
        return self.scale * self.texts.of_images(feature_BF) @ self.of_classes().T

    def forward(self, batch: Batch, generator: torch.Generator) -> Tensor:
        """The loss of this worker's images."""
        del generator
        with torch.no_grad():
            feature_BF = self.network.pooled(batch.image_BCHW)
            if self.training:
                self.measure(feature_BF)
        return F.cross_entropy(self.scores(feature_BF), batch.target_BK)

    @torch.no_grad()
    def measure(self, feature_BF: Tensor) -> None:
        """Take the lengths of a batch's projections, of all workers, into their mean."""
        new = everywhere(self.texts.image_projection(feature_BF).norm(dim=1).mean()[None]).mean()
        self.length.copy_(new if self.length == 0 else self.length.lerp(new, NORM_SHARE))

    @torch.no_grad()
    def fold(self) -> None:
        """Write the classifier of the network."""
        classifier = self.network.classifier
        assert isinstance(classifier, nn.Linear)
        share = self.scale / (self.length if self.length > 0 else 1.0)  # before any image, whose lengths set the scale
        classifier.weight.copy_(share * self.handed_on() @ self.texts.image_projection.weight)
        if classifier.bias is not None:
            classifier.bias.zero_()


def checked(plan: Plan, texts: Any, method: str) -> tuple[Deployable, Texts]:
    """The network, and what reads texts.

    Raises:
        ValueError: there is none.
    """
    if not isinstance(texts, Texts):
        raise ValueError(
            f"adaptation '{method}' needs a text tower, which pretraining.objective clip leaves; pretrain with it, or "
            "choose another adaptation"
        )
    return network_of(plan), texts


def named(plan: Plan, objective: ByName) -> Plan:
    """A plan that trains by names, and writes the classifier now, where averages begin, and after every step."""
    objective.fold()
    return replace(plan, objective=objective, after_step=(*plan.after_step, objective.fold))
