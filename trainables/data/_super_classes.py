"""Classes put together: ``data.super_classes``; what an image's class was stays as its field ``level``."""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainables.splits import DataError, Images, Splits

LEVEL = "level"


def with_super_classes(splits: Splits, groups: Any) -> Splits:
    """Splits whose classes are groups of classes, by name; the field ``level`` is the number of the class before.

    So that features can be learnt from coarse labels and judged by fine ones (evaluation ``levels``).

    Args:
        splits: the data.
        groups: by super-class the names of its classes, ``{even: ['0', '2'], odd: ['1', '3']}``.

    Raises:
        DataError: it is no such thing, a class is in none or in two, or images have a field ``level`` already.
    """
    names = sorted(_checked(groups))
    row_of = {name: row for row, name in enumerate(splits.classes)}
    super_K: NDArray[np.int64] = np.full(len(row_of), -1, dtype=np.int64)
    for number, name in enumerate(names):
        for member in groups[name]:
            if member not in row_of:
                raise DataError(
                    f"data.super_classes.{name} has '{member}', which is no class of the data; these are "
                    f"{', '.join(splits.classes[:20])}{', ...' if len(splits.classes) > 20 else ''}"
                )
            if super_K[row_of[member]] >= 0:
                raise DataError(f"data.super_classes have class '{member}' twice; put it in one")
            super_K[row_of[member]] = number
    if (super_K < 0).any():
        left = splits.classes[int((super_K < 0).argmax())]
        raise DataError(f"data.super_classes leave class '{left}' out; every class of the data is in one")
    if LEVEL in splits.train.fields:
        raise DataError("data.super_classes make the field level, which these images have already; leave them out")

    def coarse(images: Images) -> Images:
        fields = {name: value_N for name, value_N in images.fields.items() if name != "labels"}
        return replace(images, label_N=super_K[images.label_N], fields={**fields, LEVEL: images.label_N})

    return replace(
        splits,
        train=coarse(splits.train),
        validation=coarse(splits.validation),
        test=coarse(splits.test),
        classes=tuple(names),
    )


def _checked(groups: Any) -> dict[str, list[str]]:
    if (
        isinstance(groups, dict)
        and len(groups) > 1
        and all(
            isinstance(members, list) and members and all(isinstance(member, str) for member in members)
            for members in groups.values()
        )
    ):
        return groups
    raise DataError(
        f"data.super_classes is {str(groups)[:60]!r}; it is to have two super-classes or more and the names of their "
        "classes, as text, such as {even: ['0', '2'], odd: ['1', '3']}"
    )
