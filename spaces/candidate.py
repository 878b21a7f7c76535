"""A candidate: one architecture, the recipe that trains it and, where there is one, its pretraining."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Any, Self

from spaces.dimensions import Value

ROLES = ("architecture", "recipe", "pretraining", "adaptation")
"""The parts of a candidate, in the order of a space's columns."""
OPTIONAL = ("pretraining", "adaptation")
"""Roles that candidates without pretraining do not have; they are then left out of the JSON and of the key."""
NO_WEIGHTS = "none"
"""Name of no pretrained weights."""
NO_PRETRAINING = "none"
"""Value of ``pretraining.objective`` for candidates that are not pretrained."""
OWN_PICTURES = "own"
"""Value of ``pretraining.source`` for those that are pretrained on the training images."""
WEIGHT, WEIGHTS = "weight", "weights"
"""Addresses of joint pretraining: ``weight.NAME`` of a part, 1 by default; ``weights``, ``fixed`` or ``learned``."""
SHARE, STAGES, FURTHER = "share", "stages", "further.share"
"""Addresses of pretraining that say how far it goes: its share of the compute, stages, share of further ones."""
STAGE_COUNTS: Mapping[str, int] = MappingProxyType({"once": 1, "twice": 2, "distilled": 3})
"""Values of ``stages``, and how many each stands for."""
AGREEMENT = "agreement"
"""The objective that joins that of the last stage where ``stages`` is ``distilled``."""


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """An (architecture, recipe) pair. Frozen, hashable, and the same JSON and key in every process.

    Attributes:
        backbone: file name in ``trainables/backbones``.
        objective: file name in ``trainables/objectives``.
        architecture: value of each active architecture dimension by address below ``architecture``, e.g. ``depth.2``.
        recipe: value of each active recipe dimension by address below ``recipe``, e.g. ``mixup.alpha``.
        pretraining: ``objective`` (a file in ``trainables/objectives``, or ``none``), ``share`` of the compute, knobs
            of the objective (``simclr.temperature``) and its own recipe (``optimizer.learning_rate.adamw``).
        adaptation: ``method`` (a file in ``trainables/adapt``) that trains on from the pretrained weights, its knobs.
    """

    backbone: str
    objective: str
    architecture: Mapping[str, Value]
    recipe: Mapping[str, Value]
    pretraining: Mapping[str, Value] = field(default_factory=dict)
    adaptation: Mapping[str, Value] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for part in ROLES:
            object.__setattr__(self, part, MappingProxyType(dict(getattr(self, part))))

    @cached_property
    def key(self) -> str:
        """Sixteen hexadecimal digits of the SHA-256 of the canonical JSON."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()[:16]

    @property
    def by_address(self) -> dict[str, Value]:
        """Every value by full address, e.g. ``architecture.depth.2``."""
        return {f"{role}.{address}": value for role in ROLES for address, value in getattr(self, role).items()}

    @property
    def weights(self) -> str:
        """Name of the pretrained weights to begin with: ``architecture.weights``, or its item of the model."""
        own = (value for address, value in self.architecture.items() if address.partition(".")[0] == "weights")
        return str(next(own, NO_WEIGHTS))

    def to_dict(self) -> dict[str, Any]:
        return {
            "backbone": self.backbone,
            "objective": self.objective,
            "architecture": dict(self.architecture),
            "recipe": dict(self.recipe),
            **{role: dict(getattr(self, role)) for role in OPTIONAL if getattr(self, role)},
        }

    def to_json(self) -> str:
        """Canonical JSON: sorted keys, no blanks."""
        return json.dumps(self.to_dict(), sort_keys=True, separators=(",", ":"))

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Self:
        """Read ``to_dict``'s form.

        Raises:
            ValueError: a field is missing or unknown.
        """
        expected = {"backbone", "objective", "architecture", "recipe"}
        if not expected <= set(fields) <= expected | set(OPTIONAL):
            allowed = f"the fields {sorted(expected)} and may have {sorted(OPTIONAL)}"
            raise ValueError(f"a candidate has {allowed}, given {sorted(fields)}")
        return cls(**fields)

    def __hash__(self) -> int:
        return hash(self.key)

    def __reduce__(self) -> tuple[Any, ...]:
        return (type(self).from_dict, (self.to_dict(),))


def keywords(values: Mapping[str, Any]) -> dict[str, Any]:
    """Turn addresses into keywords: ``{'width.0': a, 'width.1': b, 'stem': c}`` -> ``{'width': [a, b], 'stem': c}``.

    The first part of an address names the keyword; a second part is an item of it, a list position or a mapping key.

    Raises:
        ValueError: an address has more than two parts, or list positions have a gap.
    """
    nested: dict[str, Any] = {}
    for address, value in values.items():
        keyword, _, item = address.partition(".")
        if "." in item:
            raise ValueError(f"address '{address}' has more than a keyword and an item")
        if item:
            nested.setdefault(keyword, {})[item] = value
        else:
            nested[keyword] = value
    return {keyword: _as_list(keyword, items) for keyword, items in nested.items()}


def _as_list(keyword: str, items: Any) -> Any:
    if not isinstance(items, dict) or not all(item.isdigit() for item in items):
        return items
    if sorted(map(int, items)) != list(range(len(items))):
        raise ValueError(f"the list '{keyword}' has the positions {sorted(items)}, which leave a gap")
    return [items[str(position)] for position in range(len(items))]
