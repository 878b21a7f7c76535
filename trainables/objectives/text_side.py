"""Stored vectors of texts beside labels (GPT4Image, Ding et al. 2023): projected features are pulled to an image's own.

``supervised+text_side`` is the paper's loss, with ``weight.text_side`` at 0.3 of ``weight.supervised``. The vectors are
the field ``text`` (``data.text_vectors``): the paper's are of descriptions by a language model, which none is here.
"""

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trainables.batches.fields import TEXT
from trainables.deploy import Deployable
from trainables.language.pairs import contrast, everywhere, found_first, paired
from trainables.objectives._freezing import freeze_unused
from trainables.objectives._views import Views
from trainables.plan import Batch

PAPER = "https://arxiv.org/abs/2306.00693"
LABELS = False
SUPPORTS = ("map", "tokens")
COMPARES = None
SOURCE = "own"
PER_WORKER = None
FIXED_SIDE = False
ON_FEATURES = False
NEEDS = (("", "text"),)
ORDERS = ()
AT_MOST = ()
FORMS = ("symmetric", "one_way", "distance")


def passes(**knobs: object) -> float:
    """One view an image."""
    del knobs
    return 1.0


def objective(
    network: Deployable,
    *,
    form: str = "symmetric",
    temperature: float = 0.2,
    hidden: int = 128,
    vector: int = 256,
    crop: float = 0.8,
    jitter: float = 0.2,
    flip: float = 0.0,
    colour: str = "none",
) -> nn.Module:
    """Cross-entropy of telling an image's vector from all others of the batch, and the reverse; or a distance.

    Args:
        network: whose pooled features are trained; its classifier is frozen.
        form: ``symmetric``, as CLIP's; ``one_way``, of finding vectors of images alone; ``distance``: 2 - 2 cosines.
        temperature: divides cosines, above 0; the paper has 0.2 for ResNet-50 and 0.05 for DeiT.
        hidden: width of the projection's hidden layer.
        vector: width of the stored vectors.
        crop, jitter, flip, colour: of the view, see ``trainables.objectives._views``.

    Raises:
        ValueError: a value out of range.
    """
    if form not in FORMS or temperature <= 0 or vector < 1:
        raise ValueError(
            f"text_side.form is {', '.join(FORMS)}, temperature above 0 and vector at least 1, given '{form}', "
            f"{temperature} and {vector}"
        )
    return _TextSide(
        network, form, temperature, hidden, vector, Views(crop=crop, jitter=jitter, flip=flip, colour=colour)
    )


class _TextSide(nn.Module):
    def __init__(
        self, network: Deployable, form: str, temperature: float, hidden: int, vector: int, views: Views
    ) -> None:
        super().__init__()
        self.network = network
        freeze_unused(network, network.pooled)
        self.projection = nn.Sequential(
            nn.Linear(network.width, hidden), nn.BatchNorm1d(hidden), nn.ReLU(), nn.Linear(hidden, vector)
        )
        self._form, self._scale, self._vector, self._views = form, 1 / temperature, vector, views
        self._first, self._steps = torch.zeros(()), 0

    def forward(self, batch: Batch, generator: torch.Generator) -> Tensor:
        """The loss of this worker's images, of which those without a vector take no part.

        Raises:
            ValueError: the stored vectors are of another width.
        """
        text_BE = batch.fields[TEXT]
        if text_BE.shape[1] != self._vector:
            raise ValueError(
                f"text_side.vector is {self._vector}, but these images have vectors of {text_BE.shape[1]} numbers"
            )
        view_BCHW = self._views.of(batch.image_BCHW, generator, number=0)
        image_BE = F.normalize(self.projection(self.network.pooled(view_BCHW)), dim=1)
        there_B = text_BE.any(dim=1)
        pairs = paired(image_BE, text_BE, there_B, image_BE.new_tensor(self._scale))
        if self.training:
            self._first, self._steps = self._first.to(image_BE.device) + found_first(pairs), self._steps + 1
        if self._form == "distance":
            counted = everywhere(there_B).sum().clamp_min(1) / pairs.workers
            return ((2 - 2 * (image_BE * text_BE).sum(dim=1)) * there_B).sum() / counted
        return contrast(pairs, direction=0.5 if self._form == "symmetric" else 1.0)

    def watched(self) -> dict[str, float]:
        """``found``: how often an image's vector was the nearest of its batch."""
        first, self._first, steps, self._steps = self._first, torch.zeros(()), self._steps, 0
        return {"found": float(first) / max(1, steps)}

    def trouble(self, values: Mapping[str, float]) -> str | None:
        """Nothing: stored vectors cannot collapse."""
        del values
        return None
