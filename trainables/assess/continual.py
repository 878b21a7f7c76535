"""Classes that come task after task, told apart by the nearest mean of frozen features (Janson et al. 2022).

Nothing is trained and no image is kept: a running mean for each class is all that is remembered. The accuracy after the
last task does not depend on the order in which the classes came; its mean over all tasks ("average incremental") does,
and is larger, because early tasks have few classes to confuse.
"""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from trainables.assess import Assessment, Measure, pooled, share, some
from trainables.deploy import Deployable
from trainables.splits import Splits

PAPER = "https://arxiv.org/abs/2210.04428"
BETTER = {"final": "high", "average incremental": "high", "after task": "high"}
NEEDS = ()
SCORES = ("final", "average incremental")
TEXTS = False
IN_SEARCH = {"orders": 1, "known": 1000}


class RunningMeans:
    """Means of features of length 1, one a class, from features that come one batch after the other."""

    def __init__(self, classes: int, width: int) -> None:
        self.mean_KF = torch.zeros(classes, width, dtype=torch.float64)
        self._count_K = torch.zeros(classes, dtype=torch.int64)

    def add(self, feature_BF: Tensor, class_B: Tensor) -> None:
        """Go on with a batch."""
        feature_BF = F.normalize(feature_BF.double())
        for class_ in sorted(set(class_B.tolist())):
            new_BF = feature_BF[class_B == class_]
            self._count_K[class_] += len(new_BF)
            self.mean_KF[class_] += (new_BF - self.mean_KF[class_]).sum(0) / self._count_K[class_]

    def classify(self, query_MF: Tensor) -> Tensor:
        """The class seen so far whose mean has the largest cosine, shape (M,)."""
        cosine_MK = query_MF.double() @ F.normalize(self.mean_KF).T
        return cosine_MK.masked_fill(self._count_K == 0, -torch.inf).argmax(1)


def assess(
    network: Deployable,
    splits: Splits,
    *,
    seed: int = 0,
    tasks: int = 5,
    orders: int = 10,
    batch: int = 64,
    known: int = 10_000,
) -> Assessment:
    """Accuracies on the test images of the classes seen so far.

    Args:
        network: whose pooled features are compared.
        splits: its data: means are of training images.
        seed: of the orders of the classes.
        tasks: that the classes are dealt to, as evenly as can be; as many as there are classes at most.
        orders: of the classes, over which "average incremental" is a mean and has its interval (2.5 % to 97.5 % of the
            orders); what is reported after each task is of the first.
        batch: features that come at a time.
        known: training images at most.

    Raises:
        ValueError: fewer than one task or order.
    """
    if tasks < 1 or orders < 1:
        raise ValueError(f"classes come in at least one task and one order, given {tasks} and {orders}")
    labelled, classes = some(splits.train, known), len(splits.classes)
    known_NF, class_N = pooled(network, labelled), torch.from_numpy(labelled.label_N)
    query_MF, right_M = pooled(network, splits.test), torch.from_numpy(splits.test.label_N)
    generator = np.random.default_rng(seed)

    def run() -> list[Measure]:
        means, seen, after = RunningMeans(classes, known_NF.shape[1]), torch.zeros(classes, dtype=torch.bool), []
        for number, group in enumerate(np.array_split(generator.permutation(classes), min(tasks, classes)), start=1):
            rows_T = torch.isin(class_N, torch.from_numpy(group)).nonzero()[:, 0]
            for start in range(0, len(rows_T), batch):
                rows_B = rows_T[start : start + batch]
                means.add(known_NF[rows_B], class_N[rows_B])
            seen[torch.from_numpy(group)] = True
            asked = seen[right_M]
            after.append(share("after task", means.classify(query_MF[asked]) == right_M[asked], f"task {number}"))
        return after

    runs = [run() for _ in range(orders)]
    return Assessment(measures=(*_summary(runs), *runs[0]))


def _summary(runs: list[list[Measure]]) -> tuple[Measure, Measure]:
    last = runs[0][-1]
    average_O = np.array([np.mean([measure.value for measure in after]) for after in runs])
    low, high = np.quantile(average_O, [0.025, 0.975])
    return (
        Measure(metric="final", value=last.value, count=last.count, low=last.low, high=last.high),
        Measure(
            metric="average incremental",
            value=float(average_O.mean()),
            count=last.count,
            low=float(low),
            high=float(high),
        ),
    )
