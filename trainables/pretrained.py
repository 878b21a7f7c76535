"""Files of pretrained weights that trainings may begin with."""

from collections.abc import Mapping
from dataclasses import dataclass

PRETRAINED = "pretrained"
"""The name that stands for the configuration's weights of a model, or timm's default."""
LOCAL = "local-dir:"
"""What the names of weights of exported members begin with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Weights that a configuration names.

    Attributes:
        model: timm's name of the model that they are of.
        path: a file, a URI that fsspec opens, or ``package:NAME/FILE`` of an installed package.
        format: ``names`` if the tensors have timm's names; ``positional`` if they stand in the order of timm's.
        mean, std: of each channel of the images that they were trained on, in [0, 1]; those of timm's model by default.
        interpolation: how these were resized; that of timm's model by default.
    """

    model: str
    path: str
    format: str = "names"
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    interpolation: str | None = None


Sources = Mapping[str, Source]
"""By the names that candidates know them by."""
