"""What networks that have read texts make of images and captions."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from trainables.assess import pooled
from trainables.deploy import Deployable
from trainables.language.texts import Texts
from trainables.splits import Images

WITHOUT_TEXTS = "a network without a text tower, which pretraining with clip leaves"


def texts_of(network: Deployable) -> Texts | None:
    """The text tower that belongs to a network."""
    return network.texts if isinstance(network.texts, Texts) else None


@torch.inference_mode()
def directions_of_images(network: Deployable, texts: Texts, images: Images) -> Tensor:
    """Of pooled features in the space of the texts, shape (N, E)."""
    return texts.of_images(pooled(network, images))


@torch.inference_mode()
def directions_of_classes(texts: Texts, classes: Sequence[str], templates: Sequence[str]) -> Tensor:
    """Mean directions of the classes' names in each template, shape (K, E), as CLIP's zero-shot classifier has them."""
    each = [texts.of_texts([template.format(name) for name in classes]) for template in templates]
    return F.normalize(torch.stack(each).mean(dim=0), dim=1)
