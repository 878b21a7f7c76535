"""A training plan: what the ingredients of a recipe put together, one after the other, before training starts."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import IntEnum
from types import ModuleType
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from spaces import components
from spaces.candidate import keywords
from trainables.splits import Pictures


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """What a step of training sees.

    Attributes:
        image_BCHW: images in [0, 1] at stored resolution.
        target_BK: target probabilities.
        progress: share of the phase's steps made before this one, in [0, 1); what objectives schedule by.
        fields: those that the objective reads (``trainables.batches.fields``), by name, one row an image.
    """

    image_BCHW: Tensor
    target_BK: Tensor
    progress: float = 0.0
    fields: Mapping[str, Tensor] = field(default_factory=dict)


class Stateful(Protocol):
    """What a checkpoint keeps."""

    def state_dict(self) -> dict[str, Any]: ...
    def load_state_dict(self, state: dict[str, Any]) -> Any: ...


@runtime_checkable
class Watched(Protocol):
    """An objective's module that knows whether it learns."""

    def watched(self) -> dict[str, float]:
        """Figures of the epoch of this worker's images, which the call ends."""

    def trouble(self, values: Mapping[str, float]) -> str | None:
        """From their means over the workers, at the end of pretraining: a sentence if it collapsed."""


@runtime_checkable
class Led(Protocol):
    """An objective's module whose network to judge and hand on is not the trained one, such as a teacher."""

    @property
    def evaluated(self) -> nn.Module:
        """That network; a recipe's moving average comes before it."""


@runtime_checkable
class Reading(Protocol):
    """An objective's module that learns to read texts."""

    @property
    def texts(self) -> nn.Module | None:
        """What it has learnt of them (``trainables.language.texts.Texts``)."""


class Order(Protocol):
    """How an epoch draws its images; a worker gets whole blocks of every batch."""

    @property
    def block(self) -> int:
        """Consecutive rows that stay together."""

    def rows(self, pictures: Pictures, wanted: int, batch: int, rng: np.random.Generator) -> NDArray[np.int64]:
        """Rows of ``wanted`` images, or a few less, for batches of ``batch``, over all workers."""


@runtime_checkable
class Ordered(Protocol):
    """An objective's module, or pictures, that ask for an order of their own."""

    @property
    def order(self) -> Order | None:
        """That order; None for permutations of all images."""


class Stage(IntEnum):
    """When an ingredient is applied; each ingredient file states its ``STAGE``."""

    INPUT = -1
    """Says how images become the network's input, wherever it runs: sets ``inputs`` and nothing else."""
    NETWORK = 0
    """Before the network is built: adds keywords to its ``build``, or sets the batch size."""
    OPTIMIZER = 1
    """The network exists."""
    SCHEDULE = 2
    """The optimizer exists."""
    BATCH = 3
    """Adds a transform of the batches, in the order of the file names."""


Transform = Callable[[Batch, torch.Generator], Batch]
Square = Callable[[Image.Image, int], NDArray[np.uint8]]
"""From an image of any shape to pixels (C, side, side); draws from the global generators, which are seeded for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelMaps:
    """Class maps that a recipe reads.

    Attributes:
        teacher: whose they are, a name of ``trainables.teachers.named``.
        keep: classes whose probabilities are kept of each place.
    """

    teacher: str
    keep: int


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What training does. An ingredient is a function from plan to plan.

    Attributes:
        epochs: length of the full schedule (a trial may be stopped before).
        images: number of training images.
        classes: number of classes.
        batch_size: images in a step, over all workers.
        build: keywords that ingredients add to the backbone's ``build``.
        inputs: keywords of ``trainables.deploy.Deployable`` in place of the data's.
        network: from images in [0, 1] to class scores; None before it is built.
        objective: what is trained: the objective, which holds the network and its own heads; None before it is built.
            An adaptation may set its own in place of the phase's.
        texts: what a pretraining with captions has left (``trainables.language.texts.Texts``); None for nothing.
        pictures: what is trained on, in place of the images of the phase; None for these.
        fixed_side: whether the objective needs images of the network's resolution.
        optimizer: None until an ingredient sets it.
        square: applied to every training image where it is read; None for the middle of it.
        order: how an epoch draws its images, where the recipe says so; None for permutations of all images.
        transforms: applied in turn to every training batch.
        fields: fields of images that transforms read (``trainables.batches.fields``).
        maps: class maps that the trainer adds to the images; None for none.
        before_epoch: called before every epoch with its number in the schedule, from 1.
        before_step: called before every optimizer step with the optimizer, when there are gradients.
        after_step: called after every optimizer step.
        evaluated: the network to evaluate where it is not the trained one (a moving average); None for the trained one.
        states: further states that a checkpoint must keep.
        rates: factor of the learning rate by name of a parameter of the network, where it is not 1.
        undecayed: names of parameters of the network that do not decay to zero, whatever the recipe says.
        thaws: whether ``before_epoch`` changes which parameters are trained.
        probed: the first epochs, in which the classifier alone is trained and all else rests as in evaluation.
    """

    epochs: int
    images: int
    classes: int
    batch_size: int = 64
    build: Mapping[str, Any] = field(default_factory=dict)
    inputs: Mapping[str, Any] = field(default_factory=dict)
    network: nn.Module | None = None
    objective: nn.Module | None = None
    texts: nn.Module | None = None
    pictures: Pictures | None = None
    fixed_side: bool = False
    optimizer: torch.optim.Optimizer | None = None
    square: Square | None = None
    order: Order | None = None
    transforms: tuple[Transform, ...] = ()
    fields: frozenset[str] = frozenset()
    maps: LabelMaps | None = None
    before_epoch: tuple[Callable[[int], None], ...] = ()
    before_step: tuple[Callable[[torch.optim.Optimizer], None], ...] = ()
    after_step: tuple[Callable[[], None], ...] = ()
    evaluated: nn.Module | None = None
    states: Mapping[str, Stateful] = field(default_factory=dict)
    rates: Mapping[str, float] = field(default_factory=dict)
    undecayed: frozenset[str] = frozenset()
    thaws: bool = False
    probed: int = 0

    @property
    def steps_per_epoch(self) -> int:
        """Steps of an epoch; a smaller last batch is dropped unless it is the only one."""
        return max(1, self.images // self.batch_size)

    def built(self) -> nn.Module:
        """The network.

        Raises:
            RuntimeError: it has not been built yet.
        """
        if self.network is None:
            raise RuntimeError("the network is built after the ingredients of stage NETWORK")
        return self.network

    def trained(self) -> nn.Module:
        """What the optimizer trains: the objective with its heads, or the network alone where there is none."""
        return self.objective or self.built()

    def rated(self, optimizer: torch.optim.Optimizer) -> torch.optim.Optimizer:
        """An optimizer that has no schedule yet, its groups split by ``rates`` and ``undecayed``."""
        if not self.rates and not self.undecayed:
            return optimizer
        kind_of = {
            parameter: (self.rates.get(name, 1.0), name in self.undecayed)
            for name, parameter in self.built().named_parameters()
        }
        groups = list(optimizer.param_groups)
        optimizer.param_groups.clear()
        for group in groups:
            kinds = [kind_of.get(parameter, (1.0, False)) for parameter in group["params"]]
            for kind in sorted(set(kinds)):
                members = [parameter for parameter, own in zip(group["params"], kinds, strict=True) if own == kind]
                factor, undecayed = kind
                settings = {**group, **({"weight_decay": 0.0} if undecayed else {}), "lr": group["lr"] * factor}
                optimizer.add_param_group({**settings, "params": members})
        return optimizer

    def optimized(self) -> torch.optim.Optimizer:
        """The optimizer.

        Raises:
            ValueError: no ingredient has set one.
        """
        if self.optimizer is None:
            raise ValueError("the recipe has no optimizer; give it 'optimizer.name' and a learning rate")
        return self.optimizer


def compose(
    plan: Plan,
    recipe: Mapping[str, Any],
    build: Callable[[Mapping[str, Any]], nn.Module],
    after_build: Callable[[Plan], Plan] | None = None,
) -> Plan:
    """Apply the ingredients that a recipe names, in the order of their stages and names, and build the network.

    Args:
        plan: the plan before any ingredient.
        recipe: value of each address below ``recipe``: ``mixup.alpha`` is keyword ``alpha`` of ``recipe/mixup.py``.
        build: makes the network from the keywords that the ingredients of stage NETWORK left in ``plan.build``.
        after_build: changes the plan once the network exists, before there is an optimizer; sets the objective.

    Raises:
        UnknownComponent: the recipe names an ingredient that no file implements.
    """
    knobs, modules = _ingredients(recipe)
    for name in sorted(knobs, key=lambda name: (modules[name].STAGE, name)):
        if modules[name].STAGE > Stage.NETWORK and plan.network is None:
            plan = _with_network(plan, build, after_build)
        plan = modules[name].apply(plan, **keywords(knobs[name]))
    return plan if plan.network is not None else _with_network(plan, build, after_build)


def inputs_of(recipe: Mapping[str, Any]) -> Mapping[str, Any]:
    """What the ingredients of stage INPUT set: keywords of ``trainables.deploy.Deployable``."""
    knobs, modules = _ingredients(recipe)
    plan = Plan(epochs=1, images=1, classes=1)
    for name in sorted(name for name in knobs if modules[name].STAGE == Stage.INPUT):
        plan = modules[name].apply(plan, **keywords(knobs[name]))
    return plan.inputs


def _ingredients(recipe: Mapping[str, Any]) -> tuple[dict[str, dict[str, Any]], dict[str, ModuleType]]:
    """Keywords and file of each ingredient that a recipe names."""
    knobs: dict[str, dict[str, Any]] = {}
    for address, value in recipe.items():
        ingredient, _, keyword = address.partition(".")
        knobs.setdefault(ingredient, {})[keyword] = value
    return knobs, {name: components.load(components.INGREDIENTS, name) for name in knobs}


def _with_network(
    plan: Plan,
    build: Callable[[Mapping[str, Any]], nn.Module],
    after_build: Callable[[Plan], Plan] | None,
) -> Plan:
    plan = replace(plan, network=build(plan.build))
    return plan if after_build is None else after_build(plan)
