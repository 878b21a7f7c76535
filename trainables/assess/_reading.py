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
    """Of pooled features in the space of the texts, shape (N, E), on the CPU."""
    return texts.of_images(pooled(network, images).to(texts.log_scale.device)).cpu()


@torch.inference_mode()
def directions_of_tokens(texts: Texts, token_NL: Tensor) -> Tensor:
    """Of texts as tokens, shape (N, E), on the CPU."""
    return texts.of_tokens(token_NL.to(texts.log_scale.device)).cpu()


@torch.inference_mode()
def directions_of_classes(texts: Texts, classes: Sequence[str], templates: Sequence[str]) -> Tensor:
    """Mean directions of the classes' names in each template, (K, E), on the CPU: CLIP's zero-shot classifier."""
    each = [texts.of_texts([template.format(name) for name in classes]) for template in templates]
    return F.normalize(torch.stack(each).mean(dim=0), dim=1).cpu()
