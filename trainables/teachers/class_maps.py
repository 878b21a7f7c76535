"""What a teacher says of each place of each image, made once and kept on disk (ReLabel, Yun et al. 2021).

Of each place the ``keep`` largest class probabilities are kept, as logarithms in float16; what they leave is spread
evenly over the other classes when rows are read.
"""

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from filelock import FileLock
from numpy.typing import NDArray
from torch import Tensor

from trainables.deploy import Deployable
from trainables.maps import class_map
from trainables.plan import LabelMaps
from trainables.preprocessing import View
from trainables.splits import Images, Pictures, Splits
from trainables.stored import write_whole
from trainables.teachers.named import TeacherError, load_any_teacher
from trainables.teachers.stored_targets import FLOOR, digest_of

FIELD = "classmap"
SAMPLED = 1000
"""Images at most by whose pixels a set of images is told from others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TopClasses:
    """Class maps of N images as an array whose rows are made when they are read.

    Attributes:
        top: fields ``class`` and ``share``, each (k, h, w) a row.
        classes: number of classes.
    """

    top: NDArray[np.void]
    classes: int

    dtype = np.dtype(np.float32)

    @property
    def shape(self) -> tuple[int, ...]:
        """(N, K, h, w)."""
        return (len(self.top), self.classes, *self.top.dtype["share"].shape[1:])

    def __len__(self) -> int:
        return len(self.top)

    def __getitem__(self, rows_B: NDArray[np.int64]) -> NDArray[np.float32]:
        """Logarithms of class probabilities at each place, (B, K, h, w)."""
        row_B = self.top[rows_B]
        share_BkHW = np.exp(row_B["share"].astype(np.float32))
        rest_B1HW = np.clip(1 - share_BkHW.sum(axis=1, keepdims=True), 0, None)
        others = max(1, self.classes - share_BkHW.shape[1])
        dense_BKHW = np.repeat(rest_B1HW / others, self.classes, axis=1)
        np.put_along_axis(dense_BKHW, row_B["class"].astype(np.int64), share_BkHW, axis=1)
        logarithm_BKHW: NDArray[np.float32] = np.log(np.maximum(dense_BKHW, np.float32(FLOOR)))
        return logarithm_BKHW

    def take(self, rows_B: NDArray[np.int64]) -> "TopClasses":
        """Some of the images, in the same form."""
        return replace(self, top=self.top[rows_B])


def with_class_maps(
    pictures: Pictures, wanted: LabelMaps, splits: Splits, device: torch.device, folder: Path | None
) -> Images:
    """Images with the field ``classmap``, which a second process finds on disk.

    Args:
        pictures: those of the data, which the teacher sees once, as they are stored.
        wanted: which teacher, and how much of it is kept.
        splits: the data that the teacher is loaded for.
        device: where it runs.
        folder: of all stored maps; None keeps them in memory alone.

    Raises:
        TeacherError: it cannot be loaded, or has other classes than the data.
    """
    if not isinstance(pictures, Images):
        raise TeacherError("label maps are made of stored images, not of pictures that are made on the fly")
    teacher = load_any_teacher(wanted.teacher, splits).to(device)
    check_classes(teacher, wanted.teacher, len(splits.classes))
    teacher.view = View(resolution=teacher.resolution, interpolation=teacher.interpolation)  # all of an image
    if folder is None:
        return _with(pictures, _asked(teacher, pictures, wanted.keep, device), teacher.scored)
    path = folder / f"{digest_of(teacher)}-{_digest(pictures)}-{wanted.keep}.npy"
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{path}.lock"):
        if not path.is_file():
            top = _asked(teacher, pictures, wanted.keep, device)
            write_whole(path, lambda stream: np.save(stream, top))
    return _with(pictures, np.load(path, mmap_mode="r"), teacher.scored)


def _with(images: Images, top: NDArray[np.void], classes: int) -> Images:
    maps: Any = TopClasses(top=top, classes=classes)
    return replace(images, fields={**images.fields, FIELD: maps})


def check_classes(teacher: Deployable, name: str, classes: int) -> None:
    """That a teacher's classes may be the data's.

    Raises:
        TeacherError: there are more or fewer.
    """
    if teacher.scored != classes:
        raise TeacherError(f"teacher '{name}' has {teacher.scored} classes and the data {classes}: its maps say others")


def _digest(images: Images) -> str:
    row_S = np.linspace(0, len(images) - 1, num=min(len(images), SAMPLED), dtype=np.int64)
    digest = hashlib.sha256(images.batch(row_S)[0].numpy().tobytes())
    digest.update(f"{len(images)}".encode())
    return digest.hexdigest()[:20]


@torch.no_grad()
def _asked(teacher: Deployable, images: Images, keep: int, device: torch.device) -> NDArray[np.void]:
    parts = [_top(class_map(teacher, batch.to(device)).float(), keep) for batch in images.batches()]
    return np.concatenate(parts)


def _top(score_BKHW: Tensor, keep: int) -> NDArray[np.void]:
    classes = score_BKHW.shape[1]
    share_BkHW, class_BkHW = score_BKHW.log_softmax(dim=1).topk(min(keep, classes), dim=1)
    index = np.uint16 if classes <= 2**16 else np.uint32
    shape = tuple(share_BkHW.shape[1:])
    top = np.empty(len(score_BKHW), dtype=[("class", index, shape), ("share", np.float16, shape)])
    top["class"], top["share"] = class_BkHW.cpu().numpy(), share_BkHW.clamp(min=-60000.0).cpu().numpy()
    return top
