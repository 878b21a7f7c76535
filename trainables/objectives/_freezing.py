"""Freeze what an objective does not train, as gradients averaged over workers need."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from trainables.deploy import Deployable, evaluating


def freeze_unused(network: Deployable, used: Callable[[Tensor], Any]) -> None:
    """Freeze every parameter that ``used(image)`` does not depend on, such as the classifier's below its features.

    Args:
        network: whose parameters may be frozen; keeps its mode and its running statistics.
        used: from images in [0, 1] to a tensor, or to tensors of which the last is the deepest.
    """
    image = torch.rand_like(network.blank())
    parameters = [parameter for parameter in network.parameters() if parameter.requires_grad]
    with evaluating(network):
        output = used(image)
    total = output.sum() if isinstance(output, Tensor) else torch.stack([part.sum() for part in output]).sum()
    gradients = torch.autograd.grad(total, parameters, allow_unused=True)
    for parameter, gradient in zip(parameters, gradients, strict=True):
        if gradient is None:
            parameter.requires_grad_(False)
