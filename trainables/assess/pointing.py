"""Pointing: does the place of an image that is most like its caption lie on what the caption names?"""

import numpy as np
import torch
from numpy.typing import NDArray

from trainables.assess import Assessment, mean, missing, share, some
from trainables.assess._reading import WITHOUT_TEXTS, texts_of
from trainables.deploy import Deployable
from trainables.language.tower import is_text
from trainables.maps import pooled_places
from trainables.splits import Splits

PAPER = "https://arxiv.org/abs/2403.17007"
BETTER = {"accuracy": "high", "by chance": "none"}
NEEDS = ("caption", "box")
SCORES = ()
TEXTS = True
IN_SEARCH: dict[str, int] = {}


def assess(network: Deployable, splits: Splits, *, seed: int = 0, most: int = 2_000) -> Assessment:
    """The share of images whose nearest place to their first caption lies in the box of the object.

    ``by chance`` is the mean share of the places whose centres lie in it.

    Args:
        network: that was pretrained with texts.
        splits: its data, with captions and the box of the object that they name.
        seed: of the bootstrap.
        most: images at most.
    """
    texts, images = texts_of(network), some(splits.test, most)
    if texts is None:
        return Assessment(measures=(missing("accuracy", "", WITHOUT_TEXTS),))
    token_NL = torch.from_numpy(images.fields["caption"][:, 0].astype(np.int64))
    there_N = is_text(token_NL).numpy()
    if not there_N.any():
        return Assessment(measures=(missing("accuracy", "", "no image has a caption"),))
    images, token_NL = images.take(np.flatnonzero(there_N)), token_NL[there_N]
    network.eval()
    nearest, first = [], 0
    with torch.inference_mode():
        for image_BCHW in images.batches():
            text_BE = texts.of_tokens(token_NL[first : first + len(image_BCHW)])
            place_BPE = texts.of_images(pooled_places(network, network.features(image_BCHW)))
            nearest.append((place_BPE * text_BE[:, None]).sum(dim=2).argmax(dim=1))
            first += len(image_BCHW)
    side = round(place_BPE.shape[1] ** 0.5)
    centre_P2 = np.stack(np.meshgrid(*[(np.arange(side) + 0.5) / side] * 2), axis=-1).reshape(-1, 2)
    box_N14 = images.fields["box"][:, None]
    inside_NP: NDArray[np.bool_] = np.all((box_N14[:, :, :2] <= centre_P2) & (centre_P2 < box_N14[:, :, 2:]), axis=2)
    right_N = inside_NP[np.arange(len(inside_NP)), torch.cat(nearest).numpy()]
    return Assessment(measures=(share("accuracy", right_N), mean("by chance", inside_NP.mean(axis=1), seed=seed)))
