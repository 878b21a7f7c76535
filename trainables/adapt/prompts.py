"""Prompts that are learnt (CoOp, Zhou et al. 2022): vectors in place of the words around the names of the classes.

Nothing else is trained, so that few labels suffice; the classifier is linear once it is.
"""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trainables.adapt._named import ByName, checked, named
from trainables.deploy import Deployable
from trainables.language.texts import Texts
from trainables.language.tokens import END, PADDING
from trainables.plan import Plan

PAPER = "https://arxiv.org/abs/2109.01134"
OWN_LOSS = True
FORM = None
SPREAD = 0.02
"""Standard deviation of vectors that do not begin as words."""


def adapt(
    plan: Plan,
    *,
    texts: Any,
    names: Sequence[str],
    context: int = 4,
    words: str = "",
    by_class: bool = False,
    place: str = "front",
) -> Plan:
    """Train ``context`` vectors that stand beside every name.

    Args:
        plan: with a network.
        texts: what a pretraining with captions has left.
        names: of the classes.
        context: how many vectors.
        words: what they begin as, cut or filled up with noise; noise alone by default.
        by_class: whether each class has vectors of its own.
        place: ``front`` of the name, or ``middle``: half of them before it, half after it.

    Raises:
        ValueError: there is no text tower, it does not fit, or a value is out of range.
    """
    network, reader = checked(plan, texts, "prompts")
    if context < 1 or place not in ("front", "middle"):
        raise ValueError(
            f"adaptation.prompts.context is at least 1 and place front or middle, given {context} and '{place}'"
        )
    return named(plan, _Prompts(network, reader, names, context, words, by_class, place))


class _Prompts(ByName):
    slot_KL: Tensor

    def __init__(
        self,
        network: Deployable,
        texts: Texts,
        names: Sequence[str],
        context: int,
        words: str,
        by_class: bool,
        place: str,
    ) -> None:
        super().__init__(network, texts, names, "{}")
        tower, device = texts.tower, self.token_KL.device
        longest = int(self.token_KL.argmax(dim=1).max()) + 1 + context
        if longest > tower.length:
            raise ValueError(
                f"a class name with {context} vectors takes {longest} tokens, and the text tower reads {tower.length}; "
                "make adaptation.prompts.context smaller"
            )
        before = context if place == "front" else context // 2
        rows = [_layout(token_L.tolist(), before, context, longest) for token_L in self.token_KL]
        self.token_KL = torch.tensor([token_L for token_L, _ in rows], device=device)
        self.register_buffer("slot_KL", torch.tensor([slot_L for _, slot_L in rows], device=device), persistent=False)
        start_MW = SPREAD * torch.randn(context, tower.width, device=device)
        letters = list(words.lower().encode())[:context]
        start_MW[: len(letters)] = tower.token.weight.detach()[letters]
        self.context = nn.Parameter(start_MW.repeat(len(names), 1, 1) if by_class else start_MW)

    def of_classes(self) -> Tensor:
        """Direction of each class with its vectors, shape (K, E)."""
        tower, slot_KL = self.texts.tower, self.slot_KL.clamp_min(0)
        class_K1 = torch.arange(len(slot_KL), device=slot_KL.device)[:, None]
        own_KLW = self.context[class_K1, slot_KL] if self.context.ndim == 3 else self.context[slot_KL]
        vector_KLW = torch.where(self.slot_KL[:, :, None] >= 0, own_KLW, tower.token(self.token_KL))
        return F.normalize(tower.encoded(vector_KLW, self.token_KL.argmax(dim=1)), dim=-1)


def _layout(token_L: Sequence[int], before: int, context: int, length: int) -> tuple[list[int], list[int]]:
    """Tokens of a name with room for ``context`` vectors, and at each place which vector it is, -1 for none."""
    end = token_L.index(END)
    after = context - before
    tokens = [token_L[0], *[PADDING] * before, *token_L[1:end], *[PADDING] * after, END]
    slots = [-1, *range(before), *[-1] * (end - 1), *range(before, context), -1]
    rest = length - len(tokens)
    return [*tokens, *[PADDING] * rest], [*slots, *[-1] * rest]
