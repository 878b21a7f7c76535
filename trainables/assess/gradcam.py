"""Grad-CAM (Selvaraju et al. 2017) by captum: where in an image a network saw what speaks for a class, and how well.

The maps are of the last module with several positions on the way to the scores, so after normalisation and the sum
with the shortcut. How well they point is told by the grid pointing game (Boehle et al. 2021): four images in a square,
one alone of the class that is asked for, in whose quarter the largest value of a map should lie. With random weights it
lies there by chance, unless the maps do not depend on what was learnt (Adebayo et al. 2018).
"""

import copy

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from trainables.assess import Assessment, Measure, missing, share, some
from trainables.deploy import Deployable, evaluating
from trainables.splits import Images, Splits

PAPER = "https://arxiv.org/abs/1610.02391"
BETTER = {"pointing": "high", "energy": "high"}
NEEDS = ()
SCORES = ()
TEXTS = False
IN_SEARCH: dict[str, int] = {}

CELLS = 2
"""A canvas has as many rows and as many columns of images."""
SHOWN, SHOWN_PX = 6, 96
"""Canvases in the picture, and the least side of each."""


class NoConvolution(ValueError):
    """A network without a module that has several positions, such as one of linear layers alone."""


def gradcam(network: nn.Module, image_NCHW: Tensor, class_N: Tensor) -> Tensor:
    """Maps of the images' own size, shape (N, H, W), at least 0: weighted activations of the last map.

    Args:
        network: in evaluation mode, from images to class scores.
        image_NCHW: the images.
        class_N: the class of each image that is explained.

    Raises:
        ValueError: the network is in training mode.
        NoConvolution: no module of it gives maps with more than one position.
    """
    from captum.attr import LayerAttribution, LayerGradCam  # 0.7 s, which few need

    if network.training:
        raise ValueError("Grad-CAM needs a network in evaluation mode (call eval())")
    with torch.enable_grad():
        # The input asks for gradients, so that a network whose weights are frozen has them too.
        image_NCHW = image_NCHW.detach().clone().requires_grad_()
        layer = last_map(network, image_NCHW)
        cam_N1HW = LayerGradCam(network, layer).attribute(image_NCHW, target=class_N, relu_attributions=True)
    map_N1HW: Tensor = LayerAttribution.interpolate(cam_N1HW, image_NCHW.shape[-2:], interpolate_mode="bilinear")
    return map_N1HW[:, 0].detach()


def last_map(network: nn.Module, image_NCHW: Tensor) -> nn.Module:
    """The module that is the last to give a map (N, F, H, W) with more than one position on the way to the scores.

    A block ends after the modules in it, so that it is the block with its sum and not its last convolution.

    Raises:
        NoConvolution: there is none.
    """
    modules: list[nn.Module] = []

    def on_forward(module: nn.Module, inputs: object, output: object) -> None:
        if isinstance(output, Tensor) and output.ndim == 4 and output.shape[-1] > 1 and output.requires_grad:
            modules.append(module)

    handles = [module.register_forward_hook(on_forward) for module in network.modules()]
    try:
        network(image_NCHW[:1])
    finally:
        for handle in handles:
            handle.remove()
    if not modules:
        raise NoConvolution("Grad-CAM needs a map with more than one position; this network has none")
    return modules[-1]


def assess(network: Deployable, splits: Splits, *, seed: int = 0, canvases: int = 200) -> Assessment:
    """The grid pointing game on test images, and the same with random weights.

    ``pointing`` is the share of the maps whose largest value lies in the right cell, ``energy`` the mean share of a
    map's sum that lies there. By chance both are a quarter.

    Args:
        network: run at twice its resolution, which networks of one size do not take.
        splits: its data.
        seed: of the canvases and of the random weights.
        canvases: how many, each with one question.
    """
    image_BCHW, class_B, cell_B = grids(splits.test, canvases, np.random.default_rng(seed))
    wide = Deployable(
        network.network,
        mean=network.normalisation[0],
        std=network.normalisation[1],
        resolution=round(CELLS * network.resolution / network.view.crop),
        interpolation=network.interpolation,
    ).train(network.training)
    try:
        with evaluating(wide):
            map_BHW = maps_of(wide, image_BCHW, class_B)
        random_BHW = maps_of(with_random_weights(wide, splits.train, seed), image_BCHW, class_B)
    except (RuntimeError, AssertionError, ValueError) as error:  # as networks of one size say it, and NoConvolution
        return Assessment(measures=(missing("pointing", "", error),))
    measures = (
        share("pointing", points_right(map_BHW, cell_B)),
        Measure(metric="energy", value=float(energies(map_BHW, cell_B).mean()), count=canvases),
        share("pointing", points_right(random_BHW, cell_B), "random weights, where chance is 0.25"),
    )
    return Assessment(measures=measures, pictures={"canvases": _drawn(image_BCHW, map_BHW, cell_B)})


def grids(images: Images, count: int, generator: np.random.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Canvases of 2 x 2 images, of which one alone has the class that is asked for; its class, and its cell by rows.

    Args:
        images: of side S; each class is asked for as often as any other.
        count: of canvases.
        generator: of what is drawn.

    Returns:
        Shapes (B, C, 2S, 2S), (B,) and (B,).
    """
    present = np.unique(images.label_N)
    class_B = present[generator.permutation(count) % len(present)]
    cell_B = generator.integers(CELLS**2, size=count)
    rows_B4 = np.empty((count, CELLS**2), dtype=np.int64)
    for number, (class_, cell) in enumerate(zip(class_B, cell_B, strict=True)):
        rows_B4[number] = generator.choice(np.flatnonzero(images.label_N != class_), CELLS**2)
        rows_B4[number, cell] = generator.choice(np.flatnonzero(images.label_N == class_))
    image_NCSS = images.batch(rows_B4.flatten())[0]
    image_BRRCSS = image_NCSS.view(count, CELLS, CELLS, *image_NCSS.shape[1:])
    image_BCHW = image_BRRCSS.permute(0, 3, 1, 4, 2, 5).flatten(2, 3).flatten(3, 4)
    return image_BCHW, torch.from_numpy(class_B), torch.from_numpy(cell_B)


def maps_of(network: Deployable, image_BCHW: Tensor, class_B: Tensor, size: int = 32) -> Tensor:
    """Grad-CAM of the class that is asked for on each canvas, shape (B, H, W)."""
    starts = range(0, len(image_BCHW), size)
    return torch.cat([gradcam(network, image_BCHW[at : at + size], class_B[at : at + size]) for at in starts])


def points_right(map_BHW: Tensor, cell_B: Tensor) -> Tensor:
    """Whether the largest value of each map lies in its cell, shape (B,); a map of zeros points nowhere."""
    largest_B4 = functional.adaptive_max_pool2d(map_BHW[:, None], CELLS).flatten(1)
    return (largest_B4.argmax(1) == cell_B) & (largest_B4.amax(1) > 0)


def energies(map_BHW: Tensor, cell_B: Tensor) -> Tensor:
    """The share of each map's sum that lies in its cell, shape (B,); 0 of a map of zeros."""
    mean_B4 = functional.adaptive_avg_pool2d(map_BHW[:, None], CELLS).flatten(1)
    return (mean_B4 / mean_B4.sum(1, keepdim=True).clamp(min=1e-12)).gather(1, cell_B[:, None])[:, 0]


def with_random_weights(network: Deployable, images: Images, seed: int) -> Deployable:
    """A copy in evaluation mode as its modules initialise themselves; what they do not is shuffled.

    Its batch norms have the statistics of the images, or nothing would come through.
    """
    from torch.optim.swa_utils import update_bn

    random = copy.deepcopy(network)
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(seed)
        for module in random.network.modules():
            reset = getattr(module, "reset_parameters", None)
            if callable(reset):
                reset()
                continue
            for parameter in module.parameters(recurse=False):
                parameter.copy_(parameter.flatten()[torch.randperm(parameter.numel())].view_as(parameter))
    update_bn(some(images, 1000).batches(), random)
    return random.eval()


def _drawn(image_BCHW: Tensor, map_BHW: Tensor, cell_B: Tensor) -> NDArray[np.uint8]:
    """Canvases above their maps in red, whose right cells have a frame."""
    columns = []
    for image_CHW, map_HW, cell in zip(image_BCHW[:SHOWN], map_BHW[:SHOWN], cell_B[:SHOWN].tolist(), strict=True):
        grey_HW, heat_HW = image_CHW.mean(0), map_HW / map_HW.max().clamp(min=1e-12)
        shown = image_CHW if len(image_CHW) == 3 else grey_HW.expand(3, -1, -1)
        seen = torch.stack([torch.maximum(grey_HW / 2, heat_HW), grey_HW / 2, grey_HW / 2])
        columns.append(torch.cat([shown, _framed(seen, cell)], dim=1))
    factor = -(-SHOWN_PX // image_BCHW.shape[-1])
    byte_HWC = torch.cat(columns, dim=2).clamp(0, 1).mul(255).round().byte().permute(1, 2, 0).numpy()
    large: NDArray[np.uint8] = byte_HWC.repeat(factor, 0).repeat(factor, 1)
    return large


def _framed(image_3HW: Tensor, cell: int) -> Tensor:
    side = image_3HW.shape[-1] // CELLS
    top, left = side * (cell // CELLS), side * (cell % CELLS)
    framed, green = image_3HW.clone(), torch.tensor([0.2, 0.9, 0.3]).view(3, 1)
    for at in (0, side - 1):
        framed[:, top + at, left : left + side] = green
        framed[:, top : top + side, left + at] = green
    return framed
