"""CLIP's zero-shot classifier: the names of the classes are the classifier, and no label teaches it anything.

Only the temperature is trained, which changes no image's class: the accuracy of a candidate with this method is that
of zero-shot classification.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from trainables.adapt._named import ByName, checked, named
from trainables.deploy import Deployable
from trainables.language.texts import Texts
from trainables.plan import Plan

PAPER = "https://arxiv.org/abs/2103.00020"
OWN_LOSS = True
FORM = None


def adapt(plan: Plan, *, texts: Any, names: Sequence[str], template: str = "{}") -> Plan:
    """Let the class names be the classifier.

    Args:
        plan: with a network.
        texts: what a pretraining with captions has left.
        names: of the classes.
        template: text with a place for a name.

    Raises:
        ValueError: there is no text tower, or it does not fit.
    """
    network, reader = checked(plan, texts, "zero_shot")
    return named(plan, _ZeroShot(network, reader, names, template))


class _ZeroShot(ByName):
    def __init__(self, network: Deployable, texts: Texts, names: Sequence[str], template: str) -> None:
        super().__init__(network, texts, names, template)
        self.log_scale = nn.Parameter(texts.log_scale.detach().clone())

    @property
    def scale(self) -> Tensor:
        return torch.exp(self.log_scale)
