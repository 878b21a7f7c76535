"""How images become the network's input: the resizing rule and the normalisation statistics (Corley et al. 2024).

Part of the network: the same in pretraining, training, evaluation and export.
"""

from dataclasses import replace

from timm.data.constants import IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD

from trainables.deploy import INTERPOLATIONS
from trainables.plan import Plan, Stage

PAPER = "https://arxiv.org/abs/2305.13456"
STAGE = Stage.INPUT
OFF = {"resize": "bilinear", "normalise": "data"}
TRIED = ({"normalise": "half"}, {"normalise": "imagenet"}, {"normalise": "none"})
PER_WORKER = None

STATISTICS = {
    "imagenet": (IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD),
    "half": ((0.5,), (0.5,)),
    "none": ((0.0,), (1.0,)),
}
"""Mean and standard deviation of the channels, or one for all, by name."""


def apply(plan: Plan, *, resize: str = "bilinear", normalise: str = "data") -> Plan:
    """Set the preprocessing; with both defaults the plan is returned as it is.

    Args:
        plan: the plan so far.
        resize: ``bilinear``, ``bicubic`` or ``nearest``, none of them antialiased.
        normalise: ``data`` for the statistics of the training images, ``imagenet`` (their mean over the channels where
            there are not three), ``half`` (images to [-1, 1]) or ``none``.

    Raises:
        ValueError: an unknown rule or name.
    """
    if resize not in INTERPOLATIONS:
        raise ValueError(f"recipe.preprocess.resize is '{resize}'; it can be {', '.join(INTERPOLATIONS)}")
    if normalise not in ("data", *STATISTICS):
        raise ValueError(f"recipe.preprocess.normalise is '{normalise}'; it can be data, {', '.join(STATISTICS)}")
    inputs: dict[str, object] = {} if resize == OFF["resize"] else {"interpolation": resize}
    if normalise != OFF["normalise"]:
        inputs["mean"], inputs["std"] = STATISTICS[normalise]
    return replace(plan, inputs={**plan.inputs, **inputs}) if inputs else plan
