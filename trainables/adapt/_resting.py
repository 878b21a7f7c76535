"""Parts of a network that rest: as in evaluation, whatever the training loop puts its objective into."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from torch import nn

NORMS = (nn.modules.batchnorm._BatchNorm, nn.LayerNorm, nn.GroupNorm, nn.RMSNorm)
"""Layers of normalisation; timm's are subclasses of these."""


def rest(modules: Iterable[nn.Module], when: Callable[[], bool] = lambda: True) -> None:
    """Keep modules in evaluation mode, for good or as long as ``when`` says so.

    Batch norms then use their running statistics and leave them as they are; dropout and drop path do nothing.
    """

    def before_forward(module: nn.Module, arguments: Any) -> None:
        del arguments
        if when():
            module.training = False

    for module in modules:
        module.register_forward_pre_hook(before_forward)  # the training loop puts all that it trains into training mode


def norms(network: nn.Module) -> Iterator[nn.Module]:
    """The layers of normalisation."""
    return (module for module in network.modules() if isinstance(module, NORMS))


def frozen(network: nn.Module) -> Iterator[nn.Module]:
    """The modules that have parameters, none of which is trained, and all within them."""
    whole: set[nn.Module] = set()
    for module in network.modules():
        parameters = list(module.parameters())
        if parameters and not any(parameter.requires_grad for parameter in parameters):
            whole.update(module.modules())
    return (module for module in network.modules() if module in whole)
