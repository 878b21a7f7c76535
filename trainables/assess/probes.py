"""What frozen features are worth by each protocol: nearest class mean, nearest neighbours, a linear classifier.

The linear probe is fitted to its optimum, so that it says what the classifier of the network could have been.
"""

from collections.abc import Iterator

import torch

from spaces import components
from trainables.assess import Assessment, Measure, pooled, share, some
from trainables.deploy import Deployable
from trainables.splits import Images, Splits

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
    labelled = some(splits.train, known)
    class_N, right_M = torch.from_numpy(labelled.label_N), torch.from_numpy(splits.test.label_N)
    return Assessment(measures=tuple(by_protocol(network, labelled, class_N, splits.test, right_M)))


def by_protocol(
    network: Deployable, known: Images, class_N: torch.Tensor, judged: Images, right_M: torch.Tensor
) -> Iterator[Measure]:
    """Accuracy of each protocol.

    Args:
        network: whose pooled features are judged.
        known: N images whose classes are given to the protocols.
        class_N: these classes, numbers from 0.
        judged: M images.
        right_M: their classes.
    """
    known_NF, query_MF = pooled(network, known).double(), pooled(network, judged).double()
    classes = int(max(class_N.max(), right_M.max())) + 1
    for name in components.names(components.PROTOCOLS):
        protocol = components.load(components.PROTOCOLS, name)
        predicted_M: torch.Tensor = protocol.classify(known_NF, class_N, query_MF, classes=classes)
        yield share("accuracy", predicted_M == right_M, name)
