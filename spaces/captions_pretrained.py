"""Pretrained image towers x CLIP and its options x what is made of class names: EfficientNet-Lite at 64 to 112 pixels.

A model begins with its ImageNet weights or without, may then learn from captions, trained or locked (LiT,
https://arxiv.org/abs/2111.07991), and goes on with labels, prompts, images that captions name, or class names alone.
For a thousand captioned photographs on a processor.
"""

from collections.abc import Iterator
from dataclasses import replace

from spaces.captions import PROMPTS, knobs_of_clip, with_methods
from spaces.dimensions import Choice, Dimension, Real
from spaces.finetune import by_hand, of_pretrained
from spaces.pretraining import recipe_of_pretraining, with_pretraining
from spaces.reference import Reference
from spaces.space import Space

NAMES = ("tf_efficientnet_lite0", "tf_efficientnet_lite1", "tf_efficientnet_lite2")
RESOLUTIONS = (64, 80, 96, 112)
RETRIEVED: dict[str, Dimension] = {
    "most": Choice(values=(10, 30, 100), ordered=True),
    "weight": Choice(values=(0.25, 0.5, 0.75), ordered=True),
}
"""Knobs of adaptation ``retrieved``."""


def space() -> Space:
    """The space: three models with or without weights, some 2e8 pretrainings with captions, five adaptations."""
    models = of_pretrained("captions_pretrained", names=NAMES, resolutions=RESOLUTIONS, batches=(32,), knobs={})
    recipe = {
        **recipe_of_pretraining(),
        "batch.size": Choice(values=(32, 64, 128), ordered=True),
        "optimizer.learning_rate.adamw": Real(low=1e-4, high=1e-2, levels=9, log=True),
    }
    recipe["source"] = Choice(values=("own",))  # to which a configuration may add its pools
    knobs = {**knobs_of_clip(), "clip.locked": Choice(values=(False, True))}
    whole = with_pretraining(models, ("none", "clip"), knobs, recipe=recipe)
    timms = {address: values for address, values in whole.architecture.items() if address != "neck"}
    methods = {"prompts": PROMPTS, "retrieved": RETRIEVED, "zero_shot": {}}
    return with_methods(replace(whole, architecture=timms), methods)


def references() -> Iterator[Reference]:
    """Every model at every resolution, fine-tuned as one would by hand without captions."""
    for reference in by_hand(NAMES, RESOLUTIONS):
        alone = replace(reference.candidate, pretraining={"objective": "none"}, adaptation={})
        yield replace(reference, candidate=alone)
