"""Zero-shot classification: an image has the class whose name is nearest to it in the space of texts and images."""

from collections.abc import Sequence

import torch

from trainables.assess import Assessment, missing, share
from trainables.assess._reading import WITHOUT_TEXTS, directions_of_classes, directions_of_images, texts_of
from trainables.deploy import Deployable
from trainables.splits import Splits

PAPER = "https://arxiv.org/abs/2103.00020"
BETTER = {"accuracy": "high"}
NEEDS = ()
SCORES = ("accuracy",)
TEXTS = True
IN_SEARCH: dict[str, int] = {}


def assess(network: Deployable, splits: Splits, *, seed: int = 0, templates: Sequence[str] = ("{}",)) -> Assessment:
    """The share of images whose nearest class name is right.

    Args:
        network: that was pretrained with texts.
        splits: its data.
        seed: nothing is drawn.
        templates: texts with a place for a name, whose directions are averaged.
    """
    del seed
    texts = texts_of(network)
    if texts is None:
        return Assessment(measures=(missing("accuracy", "", WITHOUT_TEXTS),))
    class_KE = directions_of_classes(texts, splits.names, templates)
    class_N = (directions_of_images(network, texts, splits.test) @ class_KE.T).argmax(dim=1)
    return Assessment(measures=(share("accuracy", class_N == torch.from_numpy(splits.test.label_N)),))
