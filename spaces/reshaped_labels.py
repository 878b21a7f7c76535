"""Space ``noisy_labels`` with one more adaptation: features that wrong labels have spoilt are reshaped (``nmtune``).

That adds a hidden layer before the classifier, which is counted among a network's costs. Space ``noisy_labels`` keeps
its dimensions, since the codes of stored candidates depend on them.
"""

from collections.abc import Mapping
from dataclasses import replace

from spaces import noisy_labels
from spaces.dimensions import Choice, Dimension, ordered
from spaces.noisy_labels import references as references
from spaces.space import Condition, Space


def space() -> Space:
    """The space: its three weights may be 0, which leaves an MLP probe, and both views may be one."""
    base = noisy_labels.space()
    knobs: Mapping[str, Dimension] = {
        "consistency": ordered(0.0, 0.1, 1.0),
        "covariance": ordered(0.0, 0.004, 0.04, 0.4),
        "spectrum": ordered(0.0, 0.001, 0.01, 0.1),
        "ratio": ordered(1.0, 4.0),
        "crop": ordered(0.6, 0.8, 1.0),
    }
    own = {f"nmtune.{name}": knob for name, knob in knobs.items()}
    condition = Condition(parent="adaptation.method", values=("nmtune",))
    return replace(
        base,
        name="reshaped_labels",
        adaptation={**base.adaptation, "method": Choice(values=("full", "linear", "nmtune")), **own},
        conditions={**base.conditions, **{f"adaptation.{address}": condition for address in own}},
    )
