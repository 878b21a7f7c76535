"""Whether frozen features tell finer classes apart than those that were trained for (after LOOK's, Feng et al. 2022).

Features that are pulled together by class may lose what tells members of a class apart.
"""

import torch

from trainables.assess import Assessment, missing, share, some
from trainables.assess.probes import by_protocol
from trainables.deploy import Deployable
from trainables.splits import Images, Splits

PAPER = "https://arxiv.org/abs/2110.06014"
BETTER = {"accuracy": "high", "always the commonest": "none"}
NEEDS = ("level",)
SCORES = ()
TEXTS = False
IN_SEARCH: dict[str, int] = {}


def assess(network: Deployable, splits: Splits, *, seed: int = 0, known: int = 10_000) -> Assessment:
    """The accuracy of every protocol (``trainables.assess``) for the field ``level`` in place of the classes.

    ``always the commonest`` is that of naming the level that most of the labelled images have, whatever is shown.

    Args:
        network: whose pooled features are judged.
        splits: its data, with the field ``level``: the labelled features are of training images. Images of which it is
            not known, -1, are left out.
        seed: nothing is drawn.
        known: training images at most.
    """
    del seed
    labelled, judged = some(_known(splits.train), known), _known(splits.test)
    if not len(labelled) or not len(judged):
        return Assessment(measures=(missing("accuracy", "", "no image of a known level"),))
    known_N, right_M = (torch.from_numpy(images.fields["level"]) for images in (labelled, judged))
    commonest = share("always the commonest", right_M == known_N.bincount().argmax())
    return Assessment(measures=(*by_protocol(network, labelled, known_N, judged, right_M), commonest))


def _known(images: Images) -> Images:
    return images.take((images.fields["level"] >= 0).nonzero()[0])
