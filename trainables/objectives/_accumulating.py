"""A batch in pieces: every piece is seen twice, so that memory holds the activations of one."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint


def in_pieces(
    function: Callable[..., Tensor],
    pieces: int,
    first: Tensor,
    *others: Tensor | None,
    norms_of: nn.Module | None = None,
) -> Tensor:
    """What a function makes of the rows of a batch, with the gradients of the whole (Gao et al. 2021, GradCache).

    A piece is computed, forgotten, and computed again when its gradients arrive.

    Args:
        function: from rows to rows.
        pieces: how many; 1 calls the function once.
        first, others: arguments, of as many rows each.
        norms_of: whose batch norms take the statistics of a piece once.
    """
    if pieces == 1:
        return function(first, *others)
    cut = [[None] * pieces if value is None else value.tensor_split(pieces) for value in (first, *others)]

    def contexts() -> tuple[AbstractContextManager[Any], AbstractContextManager[Any]]:
        return nullcontext(), nullcontext() if norms_of is None else still(norms_of)

    rows = [
        checkpoint(function, *arguments, use_reentrant=False, context_fn=contexts)
        for arguments in zip(*cut, strict=True)
        if arguments[0] is not None and len(arguments[0])
    ]
    return torch.cat(rows)


@contextmanager
def still(network: nn.Module) -> Iterator[None]:
    """Inside, the running statistics of batch norms stay."""
    norms = [module for module in network.modules() if isinstance(module, _BatchNorm)]
    momentum = [module.momentum for module in norms]
    for module in norms:
        module.momentum = 0.0
    try:
        yield
    finally:
        for module, own in zip(norms, momentum, strict=True):
            module.momentum = own
