"""Small networks that are pretrained on labels of which a share is wrong, and then adapted to the right ones.

What noise leaves in features, and which adaptation makes up for it (Chen et al., 2024,
https://arxiv.org/abs/2309.17002); evaluation ``spectrum`` shows it.
"""

from dataclasses import replace

from spaces import tiny
from spaces.dimensions import Choice
from spaces.pretraining import recipe_of_pretraining, with_pretraining
from spaces.pretraining import references as references
from spaces.space import Space


def space() -> Space:
    """The space: the architectures and recipes of space ``tiny``; from scratch, or after wrong labels."""
    noise = Choice(values=(0.0, 0.05, 0.1, 0.2, 0.3), ordered=True)
    recipe = {**recipe_of_pretraining(), "label_noise.share": noise}
    return replace(with_pretraining(tiny.space(), ("none", "supervised"), {}, recipe=recipe), name="noisy_labels")
