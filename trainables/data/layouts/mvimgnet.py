"""MVImgNet: frames of phone videos that go around an object, with the camera of each frame.

A frame's ``group`` is its object, so that pairs of one object can be trained on and no object is in two parts;
``frame`` is its number there, and ``pose`` its camera, which is not known of frames that COLMAP did not place.
"""

from collections.abc import Iterator
from pathlib import Path

from trainables.data.layouts import Row, pictures_below
from trainables.data.layouts._colmap import poses

PAPER = "https://arxiv.org/abs/2303.06042"
READS = "CLASS/INSTANCE/images/*, and cameras in CLASS/INSTANCE/sparse/0/images.bin"
RULES = ("two_in_each_group",)

CAMERAS = "sparse/0/images.bin"


def rows(root: Path) -> Iterator[Row]:
    """The frames of every instance, in the order of their names.

    Raises:
        DataError: cameras that cannot be read.
    """
    for folder in sorted(root.glob("*/*/images")):
        instance = folder.parent
        cameras = instance / CAMERAS
        pose_by_name = poses(cameras) if cameras.is_file() else {}
        for number, file in enumerate(pictures_below(folder)):
            pose = pose_by_name.get(file.name)
            yield Row(
                path=file.relative_to(root).as_posix(),
                label=instance.parent.name,
                group=f"{instance.parent.name}/{instance.name}",
                frame=number,
                pose=() if pose is None else tuple(pose.ravel().tolist()),
            )
