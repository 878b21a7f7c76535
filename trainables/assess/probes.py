"""What frozen features are worth by each protocol: nearest class mean, nearest neighbours, a linear classifier.

The linear probe is fitted to its optimum, so that it says what the classifier of the network could have been.
"""

import torch

from spaces import components
from trainables.assess import Assessment, pooled, share, some
from trainables.deploy import Deployable
from trainables.splits import Splits

PAPER = "https://arxiv.org/abs/1610.01644"
BETTER = {"accuracy": "high"}
NEEDS = ()
SCORES = ()
TEXTS = False
IN_SEARCH: dict[str, int] = {}


def assess(network: Deployable, splits: Splits, *, seed: int = 0, known: int = 10_000) -> Assessment:
    """The accuracy of every file here that defines ``classify``, with its defaults.

    Args:
        network: whose pooled features are judged.
        splits: its data: the labelled features are of training images.
        seed: nothing is drawn.
        known: training images at most.
    """
    del seed
    labelled, classes = some(splits.train, known), len(splits.classes)
    known_NF, query_MF = pooled(network, labelled).double(), pooled(network, splits.test).double()
    class_N, right_M = torch.from_numpy(labelled.label_N), torch.from_numpy(splits.test.label_N)

    def right(name: str) -> torch.Tensor:
        protocol = components.load(components.PROTOCOLS, name)
        predicted_M: torch.Tensor = protocol.classify(known_NF, class_N, query_MF, classes=classes)
        return predicted_M == right_M

    names = components.names(components.PROTOCOLS)
    return Assessment(measures=tuple(share("accuracy", right(name), name) for name in names))
