"""How images become the network's input: crop, resizing rule and normalisation statistics (Corley et al. 2024).

Part of the network: the same in pretraining, training, evaluation and export.
"""

from dataclasses import replace

from timm.data.constants import IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD

from trainables.plan import Plan, Stage
from trainables.preprocessing import INTERPOLATIONS

PAPER = "https://arxiv.org/abs/2305.13456"
STAGE = Stage.INPUT
OFF = {"resize": "bilinear", "normalise": "data", "crop": 1.0}
TRIED = ({"crop": 0.875}, {"normalise": "half"}, {"normalise": "imagenet"}, {"normalise": "none"})
PER_WORKER = None

STATISTICS = {
    "imagenet": (IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD),
    "half": ((0.5,), (0.5,)),
    "none": ((0.0,), (1.0,)),
}
"""Mean and standard deviation of the channels, or one for all, by name."""


def apply(plan: Plan, *, resize: str = "bilinear", normalise: str = "data", crop: float = 1.0) -> Plan:
    """Set the preprocessing; with all defaults the plan is returned as it is.

    Args:
        plan: the plan so far.
        resize: ``bilinear``, ``bicubic`` or ``nearest``, none of them antialiased.
        normalise: ``data`` for the statistics of the training images, ``imagenet`` (their mean over the channels where
            there are not three), ``half`` (images to [-1, 1]) or ``none``.
        crop: side of the middle that the network sees, as a share of the image's, in (0, 1].

    Raises:
        ValueError: an unknown rule or name, or no share.
    """
    if resize not in INTERPOLATIONS:
        raise ValueError(f"recipe.preprocess.resize is '{resize}'; it can be {', '.join(INTERPOLATIONS)}")
    if normalise not in ("data", *STATISTICS):
        raise ValueError(f"recipe.preprocess.normalise is '{normalise}'; it can be data, {', '.join(STATISTICS)}")
    if not 0 < crop <= 1:
        raise ValueError(f"recipe.preprocess.crop is {crop}; it can be a share in (0, 1]")
    inputs: dict[str, object] = {} if resize == OFF["resize"] else {"interpolation": resize}
    if normalise != OFF["normalise"]:
        inputs["mean"], inputs["std"] = STATISTICS[normalise]
    if crop != OFF["crop"]:
        inputs["crop"] = crop
    return replace(plan, inputs={**plan.inputs, **inputs}) if inputs else plan
