"""Several objectives at once: ``a+b`` is the weighted sum of the objectives ``a`` and ``b``, on one network.

What reads an objective's file reads it by ``load``, so that a joint objective is one like any other. Its knobs are
those of each part by the part's name, the parts' weights, and whether weights are trained.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from inspect import signature
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn

from spaces import components
from spaces.candidate import AGREEMENT, WEIGHT, WEIGHTS, keywords
from spaces.components import OBJECTIVES
from spaces.mistake import Mistake
from trainables.plan import Batch, Led, Reading, Watched

KINDS = ("fixed", "learned")
LOG_SCALE = "log_scale"
"""Name of the trained weights of parts in the state of a joint objective."""


class JointError(Mistake):
    """These objectives cannot be minimised together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Joint:
    """What ``trainables.objectives.Objective`` asks of a file, of several files together.

    Labels are read if any part reads them; images come from the parts' common source, or are the data's own.
    """

    name: str
    parts: Mapping[str, ModuleType]

    @property
    def PAPER(self) -> str:
        return ", ".join(part.PAPER for part in self.parts.values())

    @property
    def LABELS(self) -> bool:
        return any(part.LABELS for part in self.parts.values())

    @property
    def SUPPORTS(self) -> tuple[str, ...]:
        first, *others = (_suited(part.SUPPORTS) for part in self.parts.values())
        return tuple(word for word in first if all(word in other for other in others))

    @property
    def COMPARES(self) -> None:
        return None

    @property
    def SOURCE(self) -> str:
        sources = {str(part.SOURCE) for part in self.parts.values()}
        return sources.pop() if len(sources) == 1 else "own"

    @property
    def PER_WORKER(self) -> str | None:
        return next((part.PER_WORKER for part in self.parts.values() if part.PER_WORKER is not None), None)

    @property
    def FIXED_SIDE(self) -> bool:
        return any(part.FIXED_SIDE for part in self.parts.values())

    @property
    def ON_FEATURES(self) -> bool:
        return False

    def passes(self, **knobs: Any) -> float:
        """The sum over the parts whose weight is not 0."""
        own = self._own(knobs)
        return float(sum(self.parts[name].passes(**own[name]) for name in self._shares(knobs)))

    def objective(
        self, network: nn.Module, *, classes: int | None = None, teacher: nn.Module | None = None, **knobs: Any
    ) -> nn.Module:
        """The weighted sum; a part of weight 0 is not built.

        Args:
            network: which all parts train.
            classes: number of targets where they are not the data's, for parts that read them.
            teacher: what an earlier stage of pretraining has left, for the part that agrees with it.
            knobs: ``{part: its keywords}``, ``weight`` by part, and ``weights``.

        Raises:
            ValueError: ``weights`` is neither ``fixed`` nor ``learned``.
        """
        own, kind = self._own(knobs), knobs.get(WEIGHTS, KINDS[0])
        if kind not in KINDS:
            raise ValueError(f"pretraining.{WEIGHTS} is {' or '.join(KINDS)}, given '{kind}'")
        if classes is not None:
            own = {
                name: {**values, "classes": classes} if takes_classes(self.parts[name]) else values
                for name, values in own.items()
            }
        if AGREEMENT in own:
            own[AGREEMENT]["teacher"] = teacher
        return _Sum(
            network,
            {name: (share, self.parts[name].objective, own[name]) for name, share in self._shares(knobs).items()},
            learned=kind == "learned",
        )

    def _own(self, knobs: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
        return {name: dict(knobs.get(name, {})) for name in self.parts}

    def _shares(self, knobs: Mapping[str, Any]) -> dict[str, float]:
        """Weights above 0, divided by their sum.

        Raises:
            ValueError: one is below 0, or all are 0.
        """
        weight = {name: float(knobs.get(WEIGHT, {}).get(name, 1.0)) for name in self.parts}
        if min(weight.values()) < 0 or max(weight.values()) == 0:
            raise ValueError(
                f"the weights of objective '{self.name}' are at least 0 and one is above it, given {weight}; "
                f"change pretraining.{WEIGHT}"
            )
        return {name: value / sum(weight.values()) for name, value in weight.items() if value}


def load(name: str) -> ModuleType | Joint:
    """The file of an objective, or the files of several that are joined by ``+``.

    Raises:
        UnknownComponent: a part has no file; the message lists those that exist.
        JointError: the parts do not fit each other.
    """
    names = components.parts_of(name)
    if len(names) == 1:
        return components.load(OBJECTIVES, name)
    parts = {part: components.load(OBJECTIVES, part) for part in names}
    joint = Joint(name=name, parts=parts)
    if len(parts) < len(names):
        raise JointError(f"objective '{name}' names a part twice; give it a larger pretraining.{WEIGHT} instead")
    # That of an agreement is an earlier stage of the same pretraining.
    taught = [part for part, module in parts.items() if module.COMPARES is not None and part != AGREEMENT]
    if taught:
        raise JointError(f"objective '{name}' has the part '{taught[0]}', which needs a teacher; leave it out")
    if not joint.SUPPORTS:
        suits = "; ".join(f"{part}: {' and '.join(module.SUPPORTS)}" for part, module in parts.items())
        raise JointError(f"no backbone suits all parts of objective '{name}' ({suits}); leave one out")
    return joint


def _suited(words: tuple[str, ...]) -> tuple[str, ...]:
    """With ``sequence`` where there is ``tokens``, which every sequence has."""
    return words if "tokens" not in words or "sequence" in words else (*words, "sequence")


def takes_classes(objective: ModuleType | Joint) -> bool:
    """Whether every part that reads targets can read those of a pretraining source."""
    if isinstance(objective, Joint):
        return all(takes_classes(part) for part in objective.parts.values() if part.LABELS)
    return "classes" in signature(objective.objective).parameters


def knobs_of(name: str, values: dict[str, Any]) -> dict[str, Any]:
    """An objective's knobs, which are removed from the addresses below ``pretraining`` or ``objective``."""
    names = components.parts_of(name)
    if len(names) == 1:
        return taken(values, name)
    knobs: dict[str, Any] = {part: taken(values, part) for part in names}
    weight = taken(values, WEIGHT)
    return {
        **{part: own for part, own in knobs.items() if own},
        **({WEIGHT: weight} if weight else {}),
        **({WEIGHTS: values.pop(WEIGHTS)} if WEIGHTS in values else {}),
    }


def taken(values: dict[str, Any], name: str) -> dict[str, Any]:
    """The keywords of a component, which are removed from ``values``."""
    own = [address for address in values if address.startswith(f"{name}.")]
    return keywords({address.removeprefix(f"{name}."): values.pop(address) for address in own})


class _Sum(nn.Module):
    """Losses of parts that share a network, each times its share.

    With learned weights, the sum of exp(-s) loss + s, with one trained s a part that begins at -log of its share: at
    the optimum exp(s) is the loss. Losses are to be above 0 then.
    """

    def __init__(
        self,
        network: nn.Module,
        parts: Mapping[str, tuple[float, Callable[..., nn.Module], Mapping[str, Any]]],
        *,
        learned: bool,
    ) -> None:
        super().__init__()
        self.network = network
        self.parts = nn.ModuleDict(_built(network, parts))
        self._share = {name: share for name, (share, _, _) in parts.items()}
        if learned:
            self.log_scale = nn.Parameter(-torch.tensor(list(self._share.values())).log())
        self._learned = learned

    def forward(self, batch: Batch, generator: torch.Generator) -> Tensor:
        """The loss of this worker's images; the parts draw one after the other."""
        losses = {name: part(batch, generator) for name, part in self.parts.items()}
        if not self._learned:
            return torch.stack([self._share[name] * loss for name, loss in losses.items()]).sum()
        loss_P = torch.stack(list(losses.values()))
        return (loss_P * (-self.log_scale).exp() + self.log_scale).sum()

    @property
    def order(self) -> Any:
        """That of the part that asks for one.

        Raises:
            JointError: two parts ask for different ones.
        """
        orders = [getattr(part, "order", None) for part in self.parts.values()]
        asked = [order for order in orders if order is not None]
        if any(order != asked[0] for order in asked):
            raise JointError(f"parts of the objective draw {' and '.join(map(str, asked))}; leave one's knob out")
        return asked[0] if asked else None

    @property
    def evaluated(self) -> nn.Module:
        """The network of the first part that has another than the trained one."""
        return next((part.evaluated for part in self.parts.values() if isinstance(part, Led)), self.network)

    @property
    def texts(self) -> nn.Module | None:
        """What the first part that reads texts has learnt of them."""
        return next((part.texts for part in self.parts.values() if isinstance(part, Reading)), None)

    def watched(self) -> dict[str, float]:
        """What the parts watch, by their names, and the weights that are trained."""
        figures = {
            f"{name}.{figure}": value
            for name, part in self.parts.items()
            if isinstance(part, Watched)
            for figure, value in part.watched().items()
        }
        if self._learned:
            weights = (-self.log_scale.detach()).exp().tolist()
            figures |= {f"{name}.weight": weight for name, weight in zip(self._share, weights, strict=True)}
        return figures

    def trouble(self, values: Mapping[str, float]) -> str | None:
        """That of the first part that has any."""
        for name, part in self.parts.items():
            own = {
                figure.removeprefix(f"{name}."): value
                for figure, value in values.items()
                if figure.startswith(f"{name}.")
            }
            trouble = part.trouble(own) if isinstance(part, Watched) else None
            if trouble is not None:
                return trouble
        return None


def _built(
    network: nn.Module, parts: Mapping[str, tuple[float, Callable[..., nn.Module], Mapping[str, Any]]]
) -> dict[str, nn.Module]:
    """Each part as alone: what it does not train it may freeze, yet what another part trains is trained."""
    trainable = [parameter for parameter in network.parameters() if parameter.requires_grad]
    built, trained = {}, set()
    for name, (_, make, knobs) in parts.items():
        for parameter in trainable:
            parameter.requires_grad_(True)
        built[name] = make(network, **knobs)
        trained |= {parameter for parameter in trainable if parameter.requires_grad}
    for parameter in trainable:
        parameter.requires_grad_(parameter in trained)
    return built
