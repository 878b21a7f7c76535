"""Whether the stored images fit into the memory of this machine, beside the trainings that read them."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from search.setting.setting import Setting
from search.words import WARNING, amount
from spaces.mistake import Mistake
from trainables.photographs import Photographs
from trainables.splits import Images, Joined, Pictures, Splits

CGROUP = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))
"""Where Linux says what a container may have, in its second and its first version."""
TIGHT = 0.5
"""Share of the memory beyond which stored images leave too little for what trains on them."""


@dataclass(frozen=True, slots=True)
class ImageBytes:
    """Bytes of stored images: ``held`` by every process that reads them, and ``mapped`` from disk once for all."""

    held: int
    mapped: int

    @classmethod
    def of(cls, splits: Splits) -> "ImageBytes":
        """Of all parts, and of what is pretrained on beside them; arrays and files that parts share count once."""
        held: dict[int, int] = {}
        mapped: dict[str, int] = {}
        for images in _images(splits):
            stored = images.image_NCHW
            if isinstance(stored, np.ndarray):
                held[id(stored)] = stored.nbytes
            elif isinstance(stored, Photographs):
                mapped[str(stored.content)] = int(stored.start_M1[-1])
            else:
                mapped[str(getattr(stored.image_MCHW, "filename", id(stored.image_MCHW)))] = stored.image_MCHW.nbytes
        return cls(held=sum(held.values()), mapped=sum(mapped.values()))


def _images(splits: Splits) -> Iterator[Images]:
    pending: list[Pictures] = [splits.train, splits.validation, splits.test, splits.unlabelled]
    while pending:
        pictures = pending.pop()
        if isinstance(pictures, Joined):
            pending += pictures.parts
        elif isinstance(pictures, Images):
            yield pictures


def memory_of_machine() -> int:
    """Bytes of main memory that this machine, or the container, has."""
    has = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for path in CGROUP:
        try:
            has = min(has, int(path.read_text(encoding="ascii")))
        except (OSError, ValueError):  # no such file, or "max"
            continue
    return has


def of_images(setting: Setting) -> Iterator[str]:
    """A sentence for the memory of the images, or a warning.

    Args:
        setting: of a run on this machine.

    Raises:
        Mistake: it does not suffice.
    """
    run, has, stored = setting.config.run, memory_of_machine(), ImageBytes.of(setting.splits)
    processes = _processes(setting)
    needed = stored.held * processes
    held_by = "one process" if processes == 1 else f"each of {processes} processes"
    each = f"{amount(stored.held)} bytes of images in {held_by}"
    mend = "take fewer or smaller images, lower run.concurrent, or keep them in files (data.source: folder)"
    if run.memory != "auto" and 0 < run.memory < stored.held:
        raise Mistake(f"run.memory is {amount(run.memory)} bytes, less than the {each}; raise it, or {mend}")
    if needed > has:
        raise Mistake(f"{each} are more than this machine's {amount(has)} bytes of memory; {mend}")
    if needed > TIGHT * has:
        yield f"{WARNING}{each} leave little of this machine's {amount(has)} bytes of memory; {mend}"
    elif needed:
        yield f"memory: {each}, of {amount(has)} on this machine"
    if stored.mapped > has - needed:
        yield (
            f"{WARNING}{amount(stored.mapped)} bytes of images on disk do not fit into this machine's {amount(has)} "
            "bytes of memory, so that every epoch reads them from disk anew; a lower data.resolution or data.stored "
            "makes them smaller"
        )
    elif stored.mapped:
        yield f"memory: {amount(stored.mapped)} bytes of images on disk, read by all processes, of {amount(has)}"


def _processes(setting: Setting) -> int:
    """That read images at once: the search itself and, but for the serial executor, its trials."""
    run = setting.config.run
    if run.executor == "serial":
        return 1
    return 1 + run.at_once * run.workers_per_trial
