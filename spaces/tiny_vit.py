"""TinyViT (Wu et al., 2022, https://arxiv.org/abs/2207.10666): widths, depths, windows and expansions of four stages.

Contains the published 5M, 11M and 21M networks at 224 pixels. Learning rates are for batches of 256 with AdamW.
"""

from spaces.batches import batches_of_256
from spaces.dimensions import Choice, Dimension, Integer, Real
from spaces.space import Space


def space() -> Space:
    """The space: 3e7 architectures x 6e5 recipes."""
    architecture: dict[str, Dimension] = {
        "resolution": Integer(low=160, high=256, step=32),
        "mlp_ratio": Choice(values=(2.0, 3.0, 4.0), ordered=True),
        "conv_expansion": Choice(values=(2, 3, 4), ordered=True),
    }
    widths = ((32, 64, 96), (64, 96, 128, 192), (128, 160, 192, 256, 320, 384), (256, 320, 384, 448, 512, 576))
    depths = ((1, 2, 3), (1, 2, 3), (2, 4, 6, 8), (1, 2, 3))
    windows = ((5, 7, 8), (7, 14), (5, 7, 8))
    for stage in range(4):
        architecture |= {
            f"width.{stage}": Choice(values=widths[stage], ordered=True),
            f"depth.{stage}": Choice(values=depths[stage], ordered=True),
        }
    for stage, sizes in enumerate(windows):
        architecture[f"window.{stage}"] = Choice(values=sizes, ordered=True)
    recipe: dict[str, Dimension] = {
        **batches_of_256(schedule="cosine", final=0.01),
        "optimizer.name": Choice(values=("adamw",)),
        "optimizer.learning_rate.adamw": Real(low=1e-4, high=1.6e-3, levels=9, log=True),
        "optimizer.weight_decay": Real(low=0.005, high=0.16, levels=6, log=True),
        "dropout.rate": Real(low=0.0, high=0.2, levels=5),
        "stochastic_depth.rate": Real(low=0.0, high=0.3, levels=7),
        "label_smoothing.rate": Choice(values=(0.0, 0.1), ordered=True),
        "mixup.alpha": Real(low=0.0, high=0.8, levels=9),
        "augment.erase": Real(low=0.0, high=0.25, levels=6),
        "ema.decay": Choice(values=(0.0, 0.999, 0.9999), ordered=True),
    }
    return Space(name="tiny_vit", backbone="tiny_vit", architecture=architecture, recipe=recipe)
