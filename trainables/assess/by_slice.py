"""Accuracy of each slice of the images, of the worst one, and the gap (Goyal et al. 2022): is a network fair to all?"""

from trainables.assess import Assessment, scores
from trainables.assess._slices import BETTER as BETTER
from trainables.assess._slices import sliced
from trainables.deploy import Deployable
from trainables.splits import Splits

PAPER = "https://arxiv.org/abs/2202.08360"
NEEDS = ("slice",)
SCORES = ("worst", "gap")
TEXTS = False
IN_SEARCH: dict[str, int] = {}


def assess(network: Deployable, splits: Splits, *, seed: int = 0, least: int = 10) -> Assessment:
    """Shares that are right, by the field ``slice``; images whose slice is unknown are in none.

    Args:
        network: judged as it is deployed.
        splits: its data.
        seed: of the bootstrap.
        least: images of a slice that counts for the worst and the gap; a slice of one image is reported as such.
    """
    slice_N = splits.test.fields["slice"]
    right_N = scores(network, splits.test.batches()).argmax(1).numpy() == splits.test.label_N
    count = max(len(splits.slices), int(slice_N.max(initial=-1)) + 1)
    names = [splits.slices[row] if row < len(splits.slices) else f"slice {row}" for row in range(count)]
    return Assessment(measures=tuple(sliced(right_N, slice_N, names, seed, least)))
