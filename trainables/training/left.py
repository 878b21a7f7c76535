"""What a phase leaves to those after it: weights, heads, and what it has learnt of texts."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import nn

from spaces import components
from trainables.joint import LOG_SCALE
from trainables.training.building import Weights


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """What a phase leaves; of none before it, nothing.

    Attributes:
        weights: of the network that is evaluated.
        classifier: whether these hold a classifier of the data's classes that was trained.
        objective: file in ``trainables/objectives``, or several joined by ``+``.
        heads: state of the objective's module without its network: projections, decoders, prototypes, followers.
        texts: what it has learnt of texts, as ``Texts.packed`` gives it.
    """

    weights: Weights | None = None
    classifier: bool = False
    objective: str = ""
    heads: Mapping[str, Any] | None = None
    texts: Mapping[str, Any] | None = None

    def to_dict(self) -> dict[str, Any]:
        """What a checkpoint keeps of a phase that others need: the keywords that make it again."""
        return {name: getattr(self, name) for name in self.__slots__}


class Heads:
    """The state of an objective without its network, which is kept beside it.

    Args:
        objective: with the submodule ``network``.
    """

    def __init__(self, objective: nn.Module) -> None:
        self._objective = objective

    def state_dict(self) -> dict[str, Any]:
        """By name in the objective."""
        network = self._network
        return {name: value for name, value in self._objective.state_dict().items() if not name.startswith(network)}

    @property
    def _network(self) -> tuple[str, ...]:
        """Beginnings of the names of the network's tensors: each part of a joint objective holds it, too."""
        modules = self._objective.named_modules(remove_duplicate=False)
        return tuple(f"{name}." for name, module in modules if module is self._objective.network)

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over ``state_dict``.

        Raises:
            ValueError: it holds what the objective does not have.
        """
        _, unknown = self._objective.load_state_dict(dict(state), strict=False)
        if unknown:
            raise ValueError(f"the checkpoint holds '{unknown[0]}', which the objective does not have")

    def go_on_from(self, left: Left, objective: str) -> None:
        """Begin with the heads of an earlier stage, all of whose parts this objective has.

        Args:
            left: by the earlier stage.
            objective: this one's name. Where it has more parts, weights of parts that are trained begin anew.
        """
        heads = dict(left.heads or {})
        before, now = components.parts_of(left.objective), components.parts_of(objective)
        if len(before) < len(now):
            heads.pop(LOG_SCALE, None)
            prefix = f"parts.{left.objective}." if len(before) == 1 else ""
            heads = {f"{prefix}{name}": value for name, value in heads.items()}
        self.load_state_dict(heads)
