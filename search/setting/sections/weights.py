"""The section ``weights``: files of pretrained weights by the names that candidates know them by."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from search.setting.section import Place, Section
from spaces.candidate import NO_WEIGHTS
from trainables.pretrained import LOCAL, PRETRAINED, Source


def new_name(name: str) -> str:
    """A name that does not stand for something else."""
    if name in (NO_WEIGHTS, PRETRAINED) or name.startswith(LOCAL):
        raise ValueError(f"'{name}' has a meaning of its own; give these weights another name")
    return name


def of_channels(value: Any) -> Any:
    """One value a channel; a number alone is that of all three."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return (float(value),) * 3
    return tuple(value) if isinstance(value, list) else value


WeightsName = Annotated[str, AfterValidator(new_name)]
Mean = Annotated[float, Field(ge=0, le=1)]
Std = Annotated[float, Field(gt=0)]


class WeightsSection(Section):
    """One file of weights.

    Attributes:
        model: timm's name of the model that they are of.
        path: a file, a URI that fsspec opens (fetched once a machine), or ``package:NAME/FILE`` of an installed
            package; ``.safetensors``, or what torch wrote without code in it.
        format: ``names`` if the tensors have timm's names, ``positional`` if they stand in the order of timm's.
        mean, std: of each channel of the images that they were trained on, or one for all; timm's by default.
        interpolation: how these were resized; timm's by default.
    """

    model: str = Field(min_length=1, max_length=200)
    path: Place
    format: Literal["names", "positional"] = "names"
    mean: Annotated[tuple[Mean, ...] | None, BeforeValidator(of_channels)] = None
    std: Annotated[tuple[Std, ...] | None, BeforeValidator(of_channels)] = None
    interpolation: Literal["bilinear", "bicubic", "nearest"] | None = None

    @property
    def source(self) -> Source:
        """What trials are given."""
        return Source(**self.model_dump())
