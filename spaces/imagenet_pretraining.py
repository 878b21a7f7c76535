"""Large networks pretrained on their own images or not, then trained on labels: FBNetV3's and TinyViT's families.

Space ``pretraining`` at full size: which objective, for which share of the compute, before training goes on with few
labels. ResNet-RS is left out, since its networks have no neck for a projection to leave.
"""

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from spaces import fbnetv3, tiny_vit
from spaces import imagenet as plain
from spaces.batches import batches_of_256
from spaces.dimensions import Choice, Dimension, Real
from spaces.joined import join
from spaces.pretraining import with_pretraining, with_stages
from spaces.reference import Reference
from spaces.space import Space

BACKBONES = ("mobile", "tiny_vit")
RECIPE: Mapping[str, Dimension] = MappingProxyType(
    {
        "share": Choice(values=(0.25, 0.5, 0.75), ordered=True),
        **batches_of_256(schedule="cosine", final=0.01),
        "optimizer.name": Choice(values=("adamw",)),
        "optimizer.learning_rate.adamw": Real(low=1e-4, high=4e-3, levels=9, log=True),
        "optimizer.weight_decay": Real(low=1e-6, high=1e-1, levels=6, log=True),
    }
)
"""Share of the compute and recipe of every pretraining, by address below ``pretraining``."""
KNOBS: Mapping[str, Dimension] = MappingProxyType(
    {
        "simclr.temperature": Choice(values=(0.1, 0.2, 0.5), ordered=True),
        "simclr.layers": Choice(values=(2, 3), ordered=True),
        "simclr.width": Choice(values=(128,)),
        "simclr.crop": Choice(values=(0.08, 0.2), ordered=True),
        "simclr.flip": Choice(values=(0.5,)),
        "simclr.colour": Choice(values=("none", "simclr", "byol")),
        "swav.prototypes": Choice(values=(1000, 3000), ordered=True),
        "swav.queue": Choice(values=(0, 3840), ordered=True),
        "swav.frozen_steps": Choice(values=(0, 5000), ordered=True),
        "swav.width": Choice(values=(128,)),
        "swav.crop": Choice(values=(0.14, 0.3), ordered=True),
        "swav.crops": Choice(values=(0, 6), ordered=True),
        "swav.flip": Choice(values=(0.5,)),
        "swav.colour": Choice(values=("none", "swav")),
        "spark.masked": Choice(values=(0.4, 0.6, 0.75), ordered=True),
        "spark.decoder_width": Choice(values=(256, 768), ordered=True),
        "simmim.masked": Choice(values=(0.4, 0.6, 0.75), ordered=True),
        "simmim.unit": Choice(values=(4, 8), ordered=True),
    }
)
"""Knobs of the objectives, by address below ``pretraining``; a unit is of the 4 x 4 pixels of TinyViT's tokens."""


def space() -> Space:
    """The space: the sum of two families' architectures x the recipes of ``imagenet``, and pretrainings of each."""
    general = plain.space()
    families = (
        with_pretraining(fbnetv3.space(), ("none", "simclr", "swav", "spark"), KNOBS, recipe=RECIPE, necks=(0, 2048)),
        with_pretraining(tiny_vit.space(), ("none", "simclr", "simmim"), KNOBS, recipe=RECIPE, necks=(0, 512)),
    )
    conditions = {a: c for a, c in general.conditions.items() if a.startswith("recipe.")}
    return join("imagenet_pretraining", families, recipe=general.recipe, conditions=conditions)


def references() -> Iterator[Reference]:
    """Those of space ``imagenet`` whose family is here, trained from scratch."""
    return with_stages(reference for reference in plain.references() if reference.candidate.backbone in BACKBONES)
