import struct
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.miniatures.layouts import noise


def write(root: Path) -> None:
    for number in range(8):
        instance = root / f"{number % 2}" / f"{number:03d}"
        names = [f"{frame:03d}.png" for frame in range(1, 4)]
        for frame, name in enumerate(names):
            noise(instance / "images" / name, 10 * number + frame)
        cameras = instance / "sparse/0/images.bin"
        cameras.parent.mkdir(parents=True)
        # The last frame of each was not placed.
        pose = (0.5, 0.5, -0.5, 0.5, 1.0, float(number), 3.0)
        cameras.write_bytes(
            images_bin({name: (*pose[:4], float(row), *pose[5:]) for row, name in enumerate(names[:2])})
        )


def images_bin(camera_by_name: Mapping[str, Sequence[float]]) -> bytes:
    """COLMAP's file of images: for each a quaternion (w, x, y, z), a translation, and points that it shows."""
    content = struct.pack("<Q", len(camera_by_name))
    for number, (name, camera) in enumerate(camera_by_name.items()):
        points = number % 3
        content += struct.pack("<I", number + 1) + struct.pack("<7d", *camera) + struct.pack("<I", 1)
        content += name.encode() + b"\0" + struct.pack("<Q", points)
        content += struct.pack("<ddQ", 1.0, 2.0, 0) * points
    return content
