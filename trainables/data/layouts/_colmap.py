"""Cameras as COLMAP's ``images.bin`` has them (https://colmap.github.io/format.html)."""

import struct
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trainables.splits import DataError

COUNT = struct.Struct("<Q")
CAMERA = struct.Struct("<I7dI")
"""Number of the image, quaternion (w, x, y, z) and translation from the world, number of the lens."""
POINT = struct.calcsize("<ddQ")
"""Bytes of a point that an image shows."""


def poses(file: Path) -> Mapping[str, NDArray[np.float64]]:
    """Of each picture's name, the camera: rotation and translation from the world, (3, 4).

    Raises:
        DataError: the file ends early.
    """
    content, place = file.read_bytes(), COUNT.size
    pose_by_name = {}
    try:
        (count,) = COUNT.unpack_from(content)
        for _ in range(count):
            _, *numbers, _ = CAMERA.unpack_from(content, place)
            end = content.index(b"\0", place + CAMERA.size)
            name = content[place + CAMERA.size : end].decode("utf-8", "surrogateescape")
            (points,) = COUNT.unpack_from(content, end + 1)
            place = end + 1 + COUNT.size + points * POINT
            pose_by_name[name] = np.column_stack([rotation(np.array(numbers[:4])), numbers[4:]])
        if place > len(content):
            raise ValueError
    except (struct.error, ValueError) as error:
        raise DataError(f"'{file}' is no whole images.bin of COLMAP; write it again, or remove it") from error
    return pose_by_name


def rotation(quaternion_4: NDArray[np.float64]) -> NDArray[np.float64]:
    """The rotation (3, 3) of a quaternion (w, x, y, z) of any length above 0."""
    w, x, y, z = quaternion_4 / np.linalg.norm(quaternion_4)
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )
