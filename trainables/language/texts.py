"""The space that images and texts have in common: what an image tower lacks to be compared with texts."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trainables.language.tokens import tokens
from trainables.language.tower import Tower

LARGEST_SCALE = 100.0
"""That CLIP allows."""


class Texts(nn.Module):
    """A text tower, a linear projection of image features beside it, and the scale of their cosines.

    Args:
        inputs: number of pooled image features.
        length, text_width, text_depth, prefixes: of the tower, see ``Tower``.
        width: of the common space.
        temperature: 1 / scale at the start.
        learned: whether the scale is trained; at most ``LARGEST_SCALE``.

    Raises:
        ValueError: a value out of range.
    """

    def __init__(
        self,
        inputs: int,
        *,
        length: int,
        width: int,
        text_width: int,
        text_depth: int,
        temperature: float = 0.07,
        learned: bool = True,
        prefixes: int = 0,
    ) -> None:
        super().__init__()
        if width < 1 or temperature < 1 / LARGEST_SCALE:
            raise ValueError(
                f"images and texts meet at a width of at least 1 and a temperature of at least {1 / LARGEST_SCALE}, "
                f"given {width} and {temperature}"
            )
        self.tower = Tower(length=length, width=text_width, depth=text_depth, outputs=width, prefixes=prefixes)
        self.image_projection = nn.Linear(inputs, width, bias=False)
        self.log_scale = nn.Parameter(torch.tensor(-math.log(temperature)), requires_grad=learned)
        self.sizes = {
            "inputs": inputs,
            "length": length,
            "width": width,
            "text_width": text_width,
            "text_depth": text_depth,
            "prefixes": prefixes,
        }

    def packed(self) -> dict[str, Any]:
        """Sizes and weights, as a checkpoint keeps them."""
        return {"sizes": dict(self.sizes), "weights": self.state_dict()}

    @classmethod
    def unpacked(cls, packed: Mapping[str, Any]) -> Self:
        """The same again from ``packed``, in evaluation mode and without gradients."""
        with torch.random.fork_rng():  # the weights that it is built with are replaced
            texts = cls(**packed["sizes"])
        texts.load_state_dict(packed["weights"])
        return texts.eval().requires_grad_(False)

    @property
    def scale(self) -> Tensor:
        """What cosines are multiplied with."""
        return self.log_scale.exp()

    @torch.no_grad()
    def bound(self) -> None:
        """Keep the scale at most ``LARGEST_SCALE``, as CLIP does after every step."""
        self.log_scale.clamp_(max=math.log(LARGEST_SCALE))

    def of_images(self, feature_BF: Tensor) -> Tensor:
        """Directions (B, E) of pooled image features."""
        return F.normalize(self.image_projection(feature_BF), dim=-1)

    def of_tokens(self, token_NL: Tensor, prefix_N: Tensor | None = None) -> Tensor:
        """Directions (N, E) of texts."""
        return F.normalize(self.tower(token_NL, prefix_N), dim=-1)

    def of_texts(self, texts: Sequence[str]) -> Tensor:
        """Directions (N, E) of texts that people write; longer ones are cut."""
        token_NL = torch.from_numpy(tokens(texts, self.tower.length)).long()
        return self.of_tokens(token_NL.to(self.log_scale.device))
