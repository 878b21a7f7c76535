"""Small networks with help from another one: guidance of their layers, and labels of what a crop shows.

Half of a candidate's training may be guided: its layers are to be like those of a network of another design, trained
or not (``untrained:MODEL`` of timm, with random weights). Its labels may be pooled from the class map of a network of
the data's classes. That is ``teacher``, of whom section ``weights`` of the configuration says who it is, with
``model: nars`` for the folder of an exported member. Without one, restrict ``pretraining.*.guidance.teacher`` to the
others and ``recipe.label_pooling.weight`` to 0.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from spaces import _small_of_families, tiny
from spaces.dimensions import Choice, Dimension
from spaces.joined import join
from spaces.pretraining import knobs_of_objectives, with_pretraining
from spaces.pretraining import references as unguided
from spaces.reference import Reference
from spaces.space import Condition, Space

TEACHER = "teacher"
"""What section ``weights`` of a configuration calls the network that labels, and may guide."""
UNTRAINED = ("untrained:test_resnet", "untrained:test_efficientnet")


def space() -> Space:
    """The space: convolutional networks and plain transformers; from scratch, by SimCLR or guided."""
    recipe, conditions = tiny.recipe_of_small_images()
    pooling: dict[str, Dimension] = {
        "label_pooling.weight": Choice(values=(0.0, 0.5, 1.0), ordered=True),
        "label_pooling.teacher": Choice(values=(TEACHER,)),
        "label_pooling.keep": Choice(values=(3, 5, 10), ordered=True),
        "augment.crop": Choice(values=(0.0, 0.4, 0.8), ordered=True),
    }
    parent = "recipe.label_pooling.weight"
    owned = {
        f"recipe.label_pooling.{keyword}": Condition(parent=parent, values=(0.5, 1.0))
        for keyword in ("teacher", "keep")
    }
    families = (
        with_pretraining(tiny.space(), ("none", "simclr", "guidance"), _knobs()),
        with_pretraining(_small_of_families.vit(), ("none", "simclr", "guidance"), _knobs()),
    )
    return join("guided", families, recipe={**recipe, **pooling}, conditions={**conditions, **owned})


def references() -> Iterator[Reference]:
    """Those of space ``pretraining``, whose labels are the data's and whose images are not cropped."""
    for reference in unguided():
        recipe = {**reference.candidate.recipe, "label_pooling.weight": 0.0, "augment.crop": 0.0}
        yield replace(reference, candidate=replace(reference.candidate, recipe=recipe))


def _knobs() -> Mapping[str, Dimension]:
    """By address below ``pretraining``."""
    own = {address: knob for address, knob in knobs_of_objectives().items() if address.startswith("simclr.")}
    return {
        **own,
        "guidance.teacher": Choice(values=(*UNTRAINED, TEACHER)),
        "guidance.distillation_weight": Choice(values=(0.0, 0.3, 1.0, 3.0), ordered=True),
    }
