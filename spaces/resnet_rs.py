"""ResNet-RS (Bello et al., 2021, https://arxiv.org/abs/2103.07579): depth, width, resolution and regularisation.

Contains timm's ``resnetrs50``, ``resnetrs101``, ``resnetrs152`` and ``resnetrs200`` at 128 to 320 pixels. The recipe's
regularisers are those whose joint choice the paper studies; learning rates are for batches of 256 with SGD.
"""

from spaces.batches import batches_of_256
from spaces.dimensions import Choice, Dimension, Integer, Real
from spaces.space import Space


def space() -> Space:
    """The space: 6e7 architectures x 9e5 recipes."""
    architecture: dict[str, Dimension] = {
        "resolution": Integer(low=128, high=320, step=32),
        "stem_width": Choice(values=(16, 24, 32), ordered=True),
        "stem_pool": Choice(values=("conv", "max")),
        "squeeze_excite": Choice(values=(0.0, 0.125, 0.25), ordered=True),
    }
    depths = ((2, 3, 4), (3, 4, 6, 8, 12, 24), (4, 6, 12, 18, 23, 30, 36), (2, 3, 4))
    for stage, planes in enumerate((64, 128, 256, 512)):
        architecture |= {
            f"width.{stage}": Choice(
                values=tuple(planes * eighths // 8 for eighths in (4, 5, 6, 7, 8, 10)), ordered=True
            ),
            f"depth.{stage}": Choice(values=depths[stage], ordered=True),
        }
    recipe: dict[str, Dimension] = {
        **batches_of_256(schedule="cosine", final=0.0),
        "optimizer.name": Choice(values=("sgd",)),
        "optimizer.learning_rate.sgd": Real(low=0.025, high=0.4, levels=9, log=True),
        "optimizer.momentum.sgd": Choice(values=(0.9,)),
        "optimizer.weight_decay": Choice(values=(2e-5, 4e-5, 8e-5, 1e-4), ordered=True),
        "dropout.rate": Real(low=0.0, high=0.4, levels=9),
        "stochastic_depth.rate": Real(low=0.0, high=0.2, levels=9),
        "label_smoothing.rate": Choice(values=(0.0, 0.1), ordered=True),
        "mixup.alpha": Real(low=0.0, high=0.4, levels=9),
        "augment.erase": Real(low=0.0, high=0.25, levels=6),
        "ema.decay": Choice(values=(0.0, 0.999, 0.9999), ordered=True),
    }
    return Space(name="resnet_rs", backbone="resnet", architecture=architecture, recipe=recipe)
