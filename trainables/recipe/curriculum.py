"""EfficientTrain's curriculum (Wang et al. 2023): early epochs see the low frequencies of the images, at smaller sides.

The low-frequency B x B block of an image's spectrum is an image of B x B pixels, on which the network runs: a side of
a share s costs a convolutional network about s^2 of the macs. Evaluation and the last epochs have the full resolution.
"""

from dataclasses import replace

import torch
from torch import Tensor

from trainables.deploy import Deployable, evaluating
from trainables.plan import Batch, Plan, Stage
from trainables.preprocessing import resize

PAPER = "https://arxiv.org/abs/2211.09703"
STAGE = Stage.BATCH
OFF = {"start": 1.0}
TRIED = ({"start": 0.714},)
PER_WORKER = None


def apply(plan: Plan, *, start: float = 1.0) -> Plan:
    """Begin with ``start`` of the network's resolution; 1 is off.

    The paper's schedule at 224 pixels, 160 for 60 % of the epochs, 192 for 20 %, then 224, is ``start`` 0.714: the
    second side is half-way to the full one.

    Raises:
        ValueError: ``start`` is not in (0, 1], or the network or the objective does not take smaller images.
    """
    if not 0.0 < start <= 1.0:
        raise ValueError(f"recipe.curriculum.start is a share of the resolution in (0, 1], given {start}")
    network = plan.built()
    if not isinstance(network, Deployable):
        raise ValueError(f"recipe.curriculum needs a network with a resolution, given {type(network).__name__}")
    full = network.resolution
    sides = _sides(start, full)
    if sides[0] >= full:
        return plan
    if plan.fixed_side:
        raise ValueError(
            "recipe.curriculum.start is below 1, but this objective needs the full resolution; use start 1"
        )
    _check(network, sides)

    def begin(epoch: int) -> None:
        network.training_side = side_of(epoch, plan.epochs, start, full)

    def crop(batch: Batch, generator: torch.Generator) -> Batch:
        side = network.training_side or full
        if side == full:
            return batch
        image_BCSS = resize(batch.image_BCHW, full, network.interpolation)
        return replace(batch, image_BCHW=low_frequencies(image_BCSS, side))

    return replace(plan, before_epoch=(*plan.before_epoch, begin), transforms=(*plan.transforms, crop))


def _sides(start: float, full: int) -> list[int]:
    """Of the first 60 % of the epochs, and of the next 20 %."""
    return [max(2, round(full * share)) for share in (start, (1.0 + start) / 2)]


def side_of(epoch: int, epochs: int, start: float, full: int) -> int:
    """The side in pixels that an epoch, from 1, of a schedule trains at."""
    first, second = _sides(start, full)
    done = 10 * (epoch - 1)
    return min(full, first if done < 6 * epochs else second if done < 8 * epochs else full)


def cost(epochs: int, reached: int, start: float, full: int) -> float:
    """What the first ``reached`` epochs of a schedule cost, in epochs at the full side: macs go with its square."""
    return sum((side_of(epoch, epochs, start, full) / full) ** 2 for epoch in range(1, reached + 1))


def low_frequencies(image_BCHW: Tensor, side: int) -> Tensor:
    """Images of ``side`` x ``side`` pixels with the lowest frequencies of square images; their mean stays the same.

    The frequency at the edge of an even block has no partner, so that the inverse is not quite real; its real part is
    taken, as in the paper's first release.
    """
    full = image_BCHW.shape[-1]
    spectrum = torch.fft.fftshift(torch.fft.fft2(image_BCHW), dim=(-2, -1))
    begin = full // 2 - side // 2
    block = spectrum[..., begin : begin + side, begin : begin + side]
    image: Tensor = torch.fft.ifft2(torch.fft.ifftshift(block, dim=(-2, -1))).real * (side / full) ** 2
    return image


def _check(network: Deployable, sides: list[int]) -> None:
    image_BCHW = network.blank()
    for side in sides:
        try:
            with evaluating(network), torch.inference_mode():
                network.network(resize(image_BCHW, side))
        except (RuntimeError, AssertionError, ValueError) as error:
            raise ValueError(
                f"recipe.curriculum.start needs images of {side} pixels, which this network does not take ({error}); "
                "use start 1 or another network"
            ) from error
