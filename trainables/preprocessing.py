"""The whole way from a file to a network's input, as one value from which graphs, timm's files and cards follow.

A source decodes files to squares (``trainables.decoding.decode``); what is done to these afterwards is part of the
network and of its exported graphs: the middle is cropped, normalised, and resized to what the network sees.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

from torch import Tensor
from torch.nn import functional

from trainables.decoding import Decoding

INTERPOLATIONS = ("bilinear", "bicubic", "nearest")
"""Rules of resizing inside a network, by timm's names."""


def resize(image_NCHW: Tensor, resolution: int, interpolation: str = "bilinear") -> Tensor:
    """Resize to a square: half-pixel centres, not antialiased; unchanged if it fits."""
    if image_NCHW.shape[-2:] == (resolution, resolution):
        return image_NCHW
    size, centres = (resolution, resolution), None if interpolation == "nearest" else False
    return functional.interpolate(image_NCHW, size=size, mode=interpolation, align_corners=centres)


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What a network sees of a stored image.

    Attributes:
        resolution: side of the square that the network sees, in pixels.
        interpolation: one of ``INTERPOLATIONS``.
        crop: side of the middle that is seen, as a share of the image's, in (0, 1].

    Raises:
        ValueError: no such rule, or no such share.
    """

    resolution: int
    interpolation: str = "bilinear"
    crop: float = 1.0

    def __post_init__(self) -> None:
        if self.interpolation not in INTERPOLATIONS:
            raise ValueError(f"a network resizes by {', '.join(INTERPOLATIONS)}, given '{self.interpolation}'")
        if not 0 < self.crop <= 1:
            raise ValueError(f"the crop is a share of the side, in (0, 1], given {self.crop}")

    def middle(self, image_NCHW: Tensor) -> Tensor:
        """The part of square images that is seen, at least a pixel."""
        side = image_NCHW.shape[-1]
        seen = max(1, round(side * self.crop))
        if seen == side:
            return image_NCHW
        start = (side - seen) // 2
        return image_NCHW[..., start : start + seen, start : start + seen]

    def of(self, image_NCHW: Tensor) -> Tensor:
        """Square images as the network sees them."""
        return resize(self.middle(image_NCHW), self.resolution, self.interpolation)


@dataclass(frozen=True, slots=True, kw_only=True)
class Preprocessing:
    """The way from a file to a network's input.

    Attributes:
        decoding: from a file to a stored square of eight bits.
        mean: mean of each channel, in [0, 1].
        std: standard deviation of each channel, > 0.
        view: what the network sees of the square.

    Raises:
        ValueError: not one mean and one standard deviation a channel.
    """

    decoding: Decoding
    mean: tuple[float, ...]
    std: tuple[float, ...]
    view: View

    def __post_init__(self) -> None:
        channels = self.decoding.depth
        if not len(self.mean) == len(self.std) == channels or not all(value > 0 for value in self.std):
            raise ValueError(
                f"{channels} channels need as many means and positive stds, given {self.mean} and {self.std}"
            )

    @property
    def shape(self) -> tuple[int, int, int]:
        """(C, H, W) of the images, or of the clips, that the graphs take."""
        return (self.decoding.depth, self.decoding.side, self.decoding.side)

    def to_dict(self) -> dict[str, Any]:
        """JSON values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Self:
        """Read ``to_dict``'s form after JSON has turned tuples into lists."""
        decoding = content["decoding"]
        return cls(
            decoding=Decoding(**{**decoding, "background": tuple(decoding["background"])}),
            mean=tuple(content["mean"]),
            std=tuple(content["std"]),
            view=View(**content["view"]),
        )

    def for_timm(self) -> dict[str, Any]:
        """As timm says it: what its transform makes of an opaque, upright file, up to the network with its ``view``."""
        return {
            "input_size": list(self.shape),
            "fixed_input_size": False,
            "interpolation": self.decoding.interpolation,
            "crop_pct": self.decoding.crop_pct,
            "crop_mode": "center",
            "mean": list(self.mean),
            "std": list(self.std),
        }

    def before_graph(self) -> list[str]:
        """What is done to a file before a graph gets it, a sentence a step."""
        decoding, side = self.decoding, self.decoding.side
        short = int(side / decoding.crop_pct)
        colours = "RGB" if decoding.channels == 3 else "grey (0.299 red, 0.587 green, 0.114 blue)"
        picture = "The first picture of the file" if decoding.frames == 1 else "Each picture of an object"
        return [
            f"{picture} is turned upright as its EXIF orientation says; 16-bit levels are divided by 257; colour "
            "profiles are not applied.",
            f"Transparency is laid on the colour {decoding.background} and the result converted to {colours}, 8 bits.",
            f"The shorter side is resized to {short} pixels ({decoding.interpolation} as Pillow resizes, antialiased), "
            f"and the middle {side} x {side} pixels are cropped.",
            *self._stacking(),
            f"Levels are divided by 255: float32 in [0, 1], shape {('N', *self.shape)}.".replace("'", ""),
        ]

    def _stacking(self) -> list[str]:
        """How pictures become a clip."""
        frames, step, channels = self.decoding.frames, self.decoding.step, self.decoding.channels
        if frames == 1:
            return []
        apart = "successive pictures" if step == 1 else f"pictures, each {step} after the one before,"
        return [
            f"{frames} {apart} are a clip: their channels come one picture's after another's, {channels} each, in the "
            "order of the numbers in the files' names or of the pictures in one file."
        ]

    def in_graph(self) -> list[str]:
        """What the graphs do to these images before the network, a sentence a step."""
        side, view = self.decoding.side, self.view
        seen = max(1, round(side * view.crop))
        mean, std = (" ".join(map(str, values)) for values in (self.mean, self.std))
        steps = [f"The mean {mean} is subtracted and the rest divided by {std}, channel by channel."]
        if seen != side:
            steps.insert(0, f"The middle {seen} x {seen} pixels are cropped.")
        if seen != view.resolution:
            size = f"{view.resolution} x {view.resolution}"
            steps.append(f"The image is resized to {size} pixels ({view.interpolation}, not antialiased).")
        return steps
