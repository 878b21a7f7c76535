"""Accuracy of each class, of the worst one, and the gap between the best and the worst."""

from trainables.assess import Assessment, scores
from trainables.assess._slices import BETTER as BETTER
from trainables.assess._slices import sliced
from trainables.deploy import Deployable
from trainables.splits import Splits

PAPER = "https://arxiv.org/abs/2202.08360"
NEEDS = ()
SCORES = ("worst", "gap")
TEXTS = False
IN_SEARCH: dict[str, int] = {}


def assess(network: Deployable, splits: Splits, *, seed: int = 0, least: int = 10) -> Assessment:
    """Shares that are right, by class.

    Args:
        network: judged as it is deployed.
        splits: its data.
        seed: of the bootstrap.
        least: images of a class that counts for the worst and the gap.
    """
    label_N = splits.test.label_N
    right_N = scores(network, splits.test.batches()).argmax(1).numpy() == label_N
    return Assessment(measures=tuple(sliced(right_N, label_N, splits.classes, seed, least)))
