"""Small networks that a named teacher may pretrain before they are fine-tuned: TinyViT's fast pretraining distillation.

The configuration says who ``teacher`` is, in section ``weights``: pretrained weights of a model of timm, of whatever
classes, or, with ``model: nars``, the folder of an exported member. No label is read and nothing is mixed while it
teaches. With a teacher of the data's classes it is SimCLRv2's third step, followed by the labels that there are.
"""

from collections.abc import Mapping

from spaces import tiny
from spaces.as_published import with_lars
from spaces.dimensions import Choice, Dimension
from spaces.joined import join
from spaces.pretraining import knobs_of_objectives, transformers, with_pretraining
from spaces.pretraining import references as references
from spaces.space import Space

TEACHER = "teacher"
"""What section ``weights`` of a configuration calls it."""


def space() -> Space:
    """The space: the architectures and recipes of space ``pretraining``; from scratch, by SimCLR, or taught."""
    recipe, conditions = tiny.recipe_of_small_images()
    objectives = ("none", "simclr", "unlabelled_distillation")
    families = (
        with_lars(with_pretraining(tiny.space(), objectives, _knobs())),
        with_lars(with_pretraining(transformers(), objectives, _knobs())),
    )
    return join("taught", families, recipe=recipe, conditions=conditions)


def _knobs() -> Mapping[str, Dimension]:
    """By address below ``pretraining``."""
    taught: dict[str, Dimension] = {
        "teacher": Choice(values=(TEACHER,)),
        "temperature": Choice(values=(1.0, 2.0, 4.0), ordered=True),
        "top_k": Choice(values=(1, 5, 10, 100), ordered=True),
        "views": Choice(values=(0, 4, 16), ordered=True),
        "crop": Choice(values=(0.4, 0.6, 0.8), ordered=True),
    }
    own = {address: knob for address, knob in knobs_of_objectives().items() if address.startswith("simclr.")}
    return {**own, **{f"unlabelled_distillation.{keyword}": knob for keyword, knob in taught.items()}}
