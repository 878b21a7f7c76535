"""Multi-instance prediction: which of the known things a picture shows, each asked for by itself.

Anderson and Farrell (2022) pretrain so on pictures of several fractals. On labelled images it asks for their classes.
"""

import torch.nn.functional as F
from torch import nn

from trainables.deploy import Deployable
from trainables.objectives._things import Things

PAPER = "https://arxiv.org/abs/2110.03091"
LABELS = True
SUPPORTS = ("map", "tokens")
COMPARES = None
SOURCE = "fractals"
PER_WORKER = None
FIXED_SIDE = False
ON_FEATURES = False
NEEDS = ()
ORDERS = ()
AT_MOST = ()


def passes() -> float:
    """One pass an image."""
    return 1.0


def objective(network: Deployable, *, classes: int | None = None) -> nn.Module:
    """Mean binary cross-entropy over pictures and things; a linear map of the pooled features scores the things.

    Args:
        network: whose pooled features are trained; its classifier is frozen.
        classes: how many things there are; as many as the network has class scores by default.
    """
    count = network.scored if classes is None else classes
    return Things(network, count, F.binary_cross_entropy_with_logits)
