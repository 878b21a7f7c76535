"""Hide tokens of images: what leaves ``patch_embed`` is replaced by a learned token."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trainables.deploy import Deployable, TokenBackbone, evaluating
from trainables.maps import channels_last


def check_tokens(network: Deployable, what: str, otherwise: str) -> None:
    """Refuse a backbone without tokens.

    Args:
        network: whose backbone is asked.
        what: hides them, for people.
        otherwise: what to use for convolutions.

    Raises:
        ValueError: it has none.
    """
    if not hasattr(network.network, "patch_embed"):
        raise ValueError(
            f"{what} hides tokens, which {type(network.network).__name__} does not have; "
            f"use a backbone whose FEATURES are tokens, or {otherwise}"
        )


@torch.no_grad()
def embedded_and_features(network: Deployable) -> tuple[Tensor, Tensor]:
    """The embedded tokens and the features of one empty image; those of clips as of one frame."""
    outputs: list[Tensor] = []
    hook = _embedding(network).register_forward_hook(lambda module, inputs, output: outputs.append(output))
    with evaluating(network):
        features = network.features(network.blank())
    hook.remove()
    embedded = outputs[0]
    return embedded if embedded.ndim < 5 else embedded[:, :, 0], features


@contextmanager
def hiding(network: Deployable, token_F: Tensor, hidden_B1TT: Tensor, *, sealed: bool) -> Iterator[None]:
    """Inside, the network sees a learned token at hidden places of the embedded map.

    Args:
        network: with a ``patch_embed``.
        token_F: in place of what is hidden.
        hidden_B1TT: where, bool.
        sealed: whether hidden pixels are grey before ``patch_embed``, too, whose patches may overlap.
    """

    def seal(module: nn.Module, inputs: tuple[Tensor, ...]) -> Tensor:
        del module
        (x,) = inputs
        shown_B1HW = 1 - F.interpolate(hidden_B1TT.float(), size=x.shape[-2:], mode="nearest")
        return x * (shown_B1HW if x.ndim == 4 else shown_B1HW[:, :, None])  # of all frames of clips

    def hide(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
        del module, inputs
        return _hidden(output, token_F, hidden_B1TT)

    hooks = [_embedding(network).register_forward_hook(hide)]
    if sealed:
        hooks.append(_embedding(network).register_forward_pre_hook(seal))
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _embedding(network: Deployable) -> nn.Module:
    return cast(TokenBackbone, network.network).patch_embed


def _hidden(embedded: Tensor, token_F: Tensor, hidden_B1TT: Tensor) -> Tensor:
    if embedded.ndim == 3:  # (B, T, F)
        return torch.where(hidden_B1TT.flatten(1)[:, :, None], token_F, embedded)
    if channels_last(embedded):
        return torch.where(hidden_B1TT[:, 0, :, :, None], token_F, embedded)
    if embedded.ndim == 5:  # (B, F, frames, T, T): the same places of all frames
        return torch.where(hidden_B1TT[:, :, None], token_F[:, None, None, None], embedded)
    return torch.where(hidden_B1TT, token_F[:, None, None], embedded)
