"""Views of an image that are the same whenever it is seen, so that what a teacher says of them can be kept."""

from dataclasses import dataclass
from hashlib import blake2b

import torch
from torch import Tensor

from trainables.objectives._views import placed_view


@dataclass(frozen=True, slots=True, kw_only=True)
class FixedViews:
    """``count`` views of each image, drawn from its content (TinyViT keeps the seed of each view instead).

    Attributes:
        count: views of an image, at least 1.
        crop, jitter, flip: as in ``trainables.objectives._views.view``.
    """

    count: int
    crop: float
    jitter: float
    flip: float

    def of(self, image_BCHW: Tensor, generator: torch.Generator) -> Tensor:
        """One of the views of each image, which the generator chooses."""
        number_B = torch.randint(self.count, (len(image_BCHW),), generator=generator).tolist()
        rows = image_BCHW.detach().float().cpu().contiguous()
        views = [self._seen(row_CHW[None], number) for row_CHW, number in zip(rows, number_B, strict=True)]
        return torch.cat(views).to(image_BCHW)

    def _seen(self, image_1CHW: Tensor, number: int) -> Tensor:
        digest = blake2b(image_1CHW.numpy().tobytes(), digest_size=7, key=number.to_bytes(4, "little")).digest()
        generator = torch.Generator().manual_seed(int.from_bytes(digest, "little"))
        return placed_view(image_1CHW, generator, crop=self.crop, jitter=self.jitter, flip=self.flip)[0]
