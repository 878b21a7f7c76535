"""Space ``self_supervised`` for images in groups, of which those of one may teach each other.

The data's ``unlabelled`` folder has a folder for each group: an identity, an object, a clip.
"""

from collections.abc import Mapping
from types import MappingProxyType

from spaces import self_supervised
from spaces.dimensions import Choice, Value
from spaces.self_supervised import references as references
from spaces.space import Space

CONFIGURATIONS: Mapping[str, Mapping[str, Value]] = MappingProxyType(
    {"CION": {"objective": "dino", "dino.instances_per_group": 4, "dino.crops": 8}}
)
"""What papers choose, by address below ``pretraining``: arXiv 2409.18569."""


def space() -> Space:
    """The space: batches of 64 images hold 64, 32 or 16 groups."""
    further = {"dino.instances_per_group": Choice(values=(1, 2, 4), ordered=True)}
    return self_supervised.with_knobs("self_supervised_groups", further)
