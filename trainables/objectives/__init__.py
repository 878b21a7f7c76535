"""What a network is trained for, one objective a file: ``objective(network, **knobs)``, an ``nn.Module``.

The module holds the network as its submodule ``network``, with whatever else is trained (heads, prototypes, mask
tokens). ``forward(batch, generator)`` is the loss of one worker's part of a batch. Views and masks are drawn from the
generator. The training loop gives all its parameters to the optimizer, keeps its state in the checkpoint and averages
its gradients over workers, so every parameter must take part in the loss or be frozen (``requires_grad_(False)``).

``batch.progress`` says where the phase's schedule is: momentum, temperatures and whatever else changes while it trains
are functions of it. An objective whose network to judge is another than the trained one is ``trainables.plan.Led``.

An objective that can end at a solution that says nothing of the images is ``trainables.plan.Watched`` besides.

What else a file states is ``Objective``, all of it in every file.
"""

from collections.abc import Callable
from typing import Literal, Protocol

from torch import nn


class Objective(Protocol):
    """An objective's file. Nothing has a default: what reads a file reads it plainly."""

    PAPER: str
    """Where it comes from."""
    LABELS: bool
    """Whether it reads the targets; if not, it is trained on the images without labels too."""
    SUPPORTS: tuple[Literal["map", "tokens", "sequence"], ...]
    """Kinds of backbones that it suits, see a backbone's ``FEATURES``; what suits tokens suits sequences."""
    COMPARES: Literal["scores", "features"] | None
    """What of the network it compares with that of a ``teacher``, a keyword that it then has; None for no teacher."""
    SOURCE: str
    """The pretraining source unless the candidate has one: ``own``, or a file in ``trainables/data``.

    An objective that can read the targets of such a source has the keyword ``classes``, their number.
    """
    PER_WORKER: str | None
    """Why two workers do not have the loss of one; None where they have."""
    FIXED_SIDE: bool
    """Whether it needs images of the network's resolution, so that no curriculum of smaller ones fits."""
    ON_FEATURES: bool
    """Whether all it reads of images is the network's scores, so that a probe needs features alone."""
    NEEDS: tuple[tuple[str, str], ...]
    """Knobs and fields of images (``trainables.batches.fields``) that it reads where a knob is not at its default;
    of an empty knob always."""
    ORDERS: tuple[tuple[str, int | str], ...]
    """Knobs that, where not at their default, give batches an order of their own (``trainables.batches.order``), and
    how many images stand together in it: a number, or the knob that says it."""
    AT_MOST: tuple[tuple[str, int | str, int], ...]
    """Knobs with which, where not at their default, a step of all workers has a largest number of images; that number,
    or the knob that says it; and how often an image counts."""
    passes: Callable[..., float]
    """``passes(**knobs)``: forward-backward passes of the backbone for each image, above 0, by which objectives are
    compared at equal compute. An encoder that sees a quarter of the tokens makes a quarter of a pass; a forward pass
    without gradients through a network of the backbone's size is a third of one."""
    objective: Callable[..., nn.Module]
    """``objective(network, **knobs)``."""
