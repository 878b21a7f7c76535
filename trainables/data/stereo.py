"""Tiles of a real stereo pair with measured depth: scikit-image's motorcycle (Middlebury 2014, a quarter of its size).

Two tiles, left and right, are a group, and show one place from two sides: objective ``croco`` completes one from the
other. The class is how far away it is, and the field ``attribute`` the measured disparity. One scene of .4 megapixels
says what an objective does with a real second view, and little about other scenes.
"""

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from trainables.splits import DataError, Images, Splits, from_parts
from trainables.survey import Survey

LEFT, RIGHT, DISPARITY = "motorcycle_left.png", "motorcycle_right.png", "motorcycle_disp.npz"
CLASSES = ("far", "middle", "near")
STRIPS = 5
"""Of equal width, from left to right: one is for search-validation, one for the test, the others to train on."""
MARGIN = 16
"""Pixels at both sides of a strip that no tile shows, since a right tile shows places beside those of its left one."""
KNOWN = 0.5
"""Share of a tile whose disparity was measured, at least."""


def load(*, path: str | None = None, tile: int = 32, step: int = 8, grey: bool = False, split_seed: int = 0) -> Splits:
    """Cut both pictures into tiles, the right one where the left one is, moved by the median disparity of the scene.

    Args:
        path: folder of ``motorcycle_left.png``, ``motorcycle_right.png`` and ``motorcycle_disp.npz``; that of the
            installed scikit-image by default.
        tile: side of a tile, in pixels.
        step: pixels from one tile to the next, across and down; tiles of a part overlap where it is smaller.
        grey: one channel instead of three.
        split_seed: which strips are for which part.

    Raises:
        DataError: the files are not there or cannot be read, tiles do not fit, or a part shows no place of a class.
    """
    folder = _folder(path)
    left_HWC, right_HWC = (_picture(folder / name, grey) for name in (LEFT, RIGHT))
    disparity_HW = _disparity(folder / DISPARITY)
    if not left_HWC.shape == right_HWC.shape == (*disparity_HW.shape, left_HWC.shape[2]):
        raise DataError(f"the pictures and the disparity in '{folder}' differ in size; get them again")
    shift = round(float(np.nanmedian(disparity_HW)))
    width = (left_HWC.shape[1] - shift) // STRIPS
    largest = min(width - 2 * MARGIN, len(left_HWC))
    if not 8 <= tile <= largest or not 1 <= step <= tile:
        raise DataError(
            f"data.tile is 8 to {largest} pixels and data.step 1 to the tile, given tile {tile} and step {step}"
        )
    corner_N2, strip_N = _corners(len(left_HWC), width, shift, tile, step)
    disparity_N = np.array([_middle(disparity_HW[y : y + tile, x : x + tile]) for y, x in corner_N2.tolist()])
    known_N = np.isfinite(disparity_N)
    corner_N2, strip_N, disparity_N = corner_N2[known_N], strip_N[known_N], disparity_N[known_N]
    label_N = np.searchsorted(np.quantile(disparity_N, [1 / 3, 2 / 3]), disparity_N).astype(np.int64)
    order = np.random.default_rng(split_seed).permutation(STRIPS)
    parts: dict[str, Images] = {}
    for name, strips in (("validation", order[:1]), ("test", order[1:2]), ("train", order[2:])):
        rows = np.flatnonzero(np.isin(strip_N, strips))
        absent = sorted(set(range(len(CLASSES))) - set(label_N[rows].tolist()))
        if absent:
            raise DataError(
                f"data.split_seed {split_seed} leaves {name} without a {CLASSES[absent[0]]} tile; choose another"
            )
        cut = [_cut(one, corner_N2[rows] - moved, tile) for one, moved in ((left_HWC, 0), (right_HWC, [0, shift]))]
        parts[name] = _pairs(cut[0], cut[1], label_N[rows], disparity_N[rows])
    said = Survey(remarks=(f"tiles of one scene; right ones are cut {shift} pixels further left",))
    return from_parts(parts["train"], parts["validation"], parts["test"], CLASSES, survey=said)


def _folder(path: str | None) -> Path:
    if path is not None:
        folder = Path(path).expanduser()
    else:
        package = find_spec("skimage")
        if package is None or package.origin is None:
            raise DataError(
                "source 'stereo' reads pictures of the package scikit-image, which is not installed; install it, or "
                f"give the folder of {LEFT}, {RIGHT} and {DISPARITY} as data.path"
            )
        folder = Path(package.origin).parent / "data"
    missing = [name for name in (LEFT, RIGHT, DISPARITY) if not (folder / name).is_file()]
    if missing:
        raise DataError(f"'{folder}' has no {missing[0]}; give the folder of the three files as data.path")
    return folder


def _picture(file: Path, grey: bool) -> NDArray[np.uint8]:
    try:
        with Image.open(file) as image:
            level_HWC = np.asarray(image.convert("L" if grey else "RGB"))
    except (OSError, ValueError) as error:
        raise DataError(f"'{file}' cannot be read ({error}); get it again") from error
    return level_HWC.reshape(*level_HWC.shape[:2], -1)


def _disparity(file: Path) -> NDArray[np.float32]:
    """Pixels that a place lies further left in the right picture (H, W); not a number where it was not measured."""
    try:
        with np.load(file) as arrays:
            value_HW = np.asarray(arrays[arrays.files[0]], dtype=np.float32)
    except (OSError, ValueError, IndexError) as error:
        raise DataError(f"'{file}' cannot be read ({error}); get it again") from error
    return np.where(np.isfinite(value_HW), value_HW, np.float32("nan"))


def _corners(height: int, width: int, shift: int, tile: int, step: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Top and left of each tile of the left picture (N, 2), and the strip that it lies in (N,)."""
    top_Y = np.arange(0, height - tile + 1, step)
    left_X = np.arange(MARGIN, width - MARGIN - tile + 1, step)
    strip_NX, top_NX, left_NX = np.meshgrid(np.arange(STRIPS), top_Y, left_X, indexing="ij")
    corner_N2 = np.stack([top_NX.ravel(), (shift + strip_NX * width + left_NX).ravel()], axis=1)
    return corner_N2, strip_NX.ravel()


def _middle(disparity_HW: NDArray[np.float32]) -> float:
    """The median of what is known; not a number where that is too little."""
    known = disparity_HW[np.isfinite(disparity_HW)]
    return float(np.median(known)) if len(known) >= KNOWN * disparity_HW.size else float("nan")


def _cut(picture_HWC: NDArray[np.uint8], corner_N2: NDArray[Any], tile: int) -> NDArray[np.uint8]:
    window_YXCHW = np.lib.stride_tricks.sliding_window_view(picture_HWC, (tile, tile), axis=(0, 1))
    tile_NCHW: NDArray[np.uint8] = window_YXCHW[corner_N2[:, 0], corner_N2[:, 1]]
    return tile_NCHW


def _pairs(
    left_NCHW: NDArray[np.uint8], right_NCHW: NDArray[np.uint8], label_N: NDArray[np.int64], value_N: NDArray[Any]
) -> Images:
    """Left and right tiles in turn."""
    count = len(left_NCHW)
    return Images(
        image_NCHW=np.stack([left_NCHW, right_NCHW], axis=1).reshape(2 * count, *left_NCHW.shape[1:]),
        label_N=label_N.repeat(2),
        fields={
            "group": np.arange(count).repeat(2),
            "frame": np.tile(np.arange(2), count),
            "attribute": value_N.astype(np.float32).repeat(2)[:, None],
        },
    )
