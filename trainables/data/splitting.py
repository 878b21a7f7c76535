"""Which image is in which part, where a source has no parts of its own: decided here for every source.

Images that people keep in files are split by a hash of their content: where an image lies depends on nothing but its
own bytes, ``split_seed`` and the shares, so that an image that is added, renamed or removed moves no other one, and
copies of an image lie in one part. Each image is its own draw, so that shares are met about, not to the image.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import accumulate
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainables.data.kept import fingerprints_of
from trainables.decoding import Decoding
from trainables.splits import DataError, Images, Splits, from_parts
from trainables.survey import Survey

SPLIT = "split"
"""Keyword of the sources that know both rules."""
HASH, DRAWN = "hash", "drawn"
"""By a hash of each image; drawn for all images at once, to the image, as every split was before there were hashes."""


def completed(
    parts: Mapping[str, Images],
    names: Sequence[str],
    *,
    split: str,
    validation: float,
    test: float,
    seed: int,
    decoding: Decoding | None = None,
    survey: Survey | None = None,
) -> Splits:
    """The splits of a source that may lack some: what is missing is split off the training part.

    Args:
        parts: images of ``train`` and, where the source has them, of ``validation`` and ``test``.
        names: class names.
        split: ``hash`` or ``drawn``.
        validation, test: share for a part that is missing: of the images that are split if by hash, so that images of
            other parts move none; of all images if drawn.
        seed: of the split.
        decoding, survey: as in ``Splits``.

    Raises:
        DataError: no such rule, shares that leave nothing to train on, or a class with fewer images than there are
            parts to fill.
    """
    if split not in (HASH, DRAWN):
        raise DataError(f"data.{SPLIT} is '{HASH}' or '{DRAWN}', given {split!r}")
    train, complete = parts["train"], dict(parts)
    total = len(train) if split == HASH else sum(map(len, parts.values()))
    missing = {name: share for name, share in (("test", test), ("validation", validation)) if name not in complete}
    _check_shares(train, missing, total)
    _check_counts(train, names, 1 + len(missing))
    if split == HASH and missing:
        part_N, remarks = _by_hash(train, missing, seed, names)
        for part, name in enumerate((*missing, "train")):
            complete[name] = train.take(np.flatnonzero(part_N == part))
        survey = survey and replace(survey, remarks=(*survey.remarks, *remarks))
    else:
        for name, share in missing.items():
            train, complete[name] = stratified(train, share * total / len(train), seed, names)
        complete["train"] = train
    return from_parts(
        complete["train"], complete["validation"], complete["test"], names, decoding=decoding, survey=survey
    )


def _check_shares(train: Images, missing: Mapping[str, float], total: int) -> None:
    for name, share in missing.items():
        if not 0 < share < 1:
            raise DataError(f"data.{name} is a share of all images, between 0 and 1, given {share}")
    if sum(missing.values()) * total >= len(train):
        shares = " and ".join(f"data.{name} {share:g}" for name, share in missing.items())
        raise DataError(f"{shares} take all {len(train)} images and leave none to train on; make them smaller")


def _check_counts(train: Images, names: Sequence[str], needed: int) -> None:
    count_K = np.bincount(train.label_N, minlength=len(names))
    scarce = [int(row) for row in np.argsort(count_K, kind="stable") if count_K[row] < needed]
    if scarce:
        more = f", and {len(scarce) - 1} more classes have fewer than {needed}" if scarce[1:] else ""
        raise DataError(
            f"class '{names[scarce[0]]}' has {count_K[scarce[0]]} image(s){more}; training and the parts that are "
            f"split off it need {needed} of each class at least: add images, or leave the class out"
        )


# by hash -------------------------------------------------------------------------------------------------------------


def places_of(images: Images, seed: int) -> NDArray[np.float64]:
    """Where each image lies in [0, 1): (N,), by a hash of its content or, where it is known, of its group's number."""
    group_N = images.fields.get("group", np.full(len(images), -1))
    keys = [
        content if group < 0 else f"group {group}".encode()
        for content, group in zip(fingerprints_of(images), group_N.tolist(), strict=True)
    ]
    salt = str(seed).encode()
    digests = [hashlib.blake2b(key, digest_size=8, key=salt).digest() for key in keys]
    return np.array([(int.from_bytes(digest, "big") >> 11) / 2**53 for digest in digests])


def _by_hash(
    images: Images, shares: Mapping[str, float], seed: int, names: Sequence[str]
) -> tuple[NDArray[np.int64], list[str]]:
    """Number of the part of each image (the one after the last share is the rest), and what is to be said of it."""
    place_N = places_of(images, seed)
    edge_P1 = np.array([0.0, *accumulate(shares.values()), 1.0])
    part_N = np.searchsorted(edge_P1[1:-1], place_N, side="right")
    scarce = _filled(part_N, place_N, edge_P1, images, names)
    if not scarce:
        return part_N, []
    which = f"{len(scarce)} classes, such as '{names[scarce[0]]}'," if scarce[1:] else f"class '{names[scarce[0]]}'"
    return part_N, [
        f"so few images of {which} that their hashes leave a part without one: the image next to that part is in it, "
        "and may go back when images of its class are added"
    ]


def _filled(
    part_N: NDArray[np.int64],
    place_N: NDArray[np.float64],
    edge_P1: NDArray[np.float64],
    images: Images,
    names: Sequence[str],
) -> list[int]:
    """Give every part an image of every class, the one that lies next to it; groups move whole. Returns these classes.

    Args:
        part_N: changed.
        place_N, edge_P1: of the images, and where parts begin and end.
        images: that are split.
        names: class names.

    Raises:
        DataError: a class has too few groups.
    """
    parts = len(edge_P1) - 1
    group_N = images.fields.get("group", np.full(len(images), -1))

    def counts(of_N: NDArray[np.int64]) -> NDArray[np.int64]:
        cells = np.bincount(images.label_N * parts + of_N, minlength=len(names) * parts)
        return cells.reshape(len(names), parts)

    scarce = np.argwhere(counts(part_N) == 0).tolist()
    for label, part in scarce:
        away_N = np.maximum(np.maximum(edge_P1[part] - place_N, place_N - edge_P1[part + 1]), 0.0)
        row_M = np.flatnonzero((images.label_N == label) & (part_N != part))
        for row in row_M[np.argsort(away_N[row_M], kind="stable")]:
            moved_N = part_N.copy()
            moved_N[group_N == group_N[row] if group_N[row] >= 0 else row] = part
            if not ((counts(moved_N) == 0) & (counts(part_N) > 0)).any():
                part_N[:] = moved_N
                break
        else:
            raise DataError(
                f"class '{names[label]}' has images of too few groups to stand in {parts} parts with no group in two; "
                "add groups, or leave the class out"
            )
    return sorted({label for label, _ in scarce})


# drawn ---------------------------------------------------------------------------------------------------------------


def with_labels(splits: Splits, share: float, seed: int) -> Splits:
    """Keep the labels of a share of the training images, every class in proportion; all stay to be pretrained on.

    Args:
        splits: with all their labels.
        share: of the training images that ``train`` keeps, in (0, 1].
        seed: of the choice.

    Raises:
        DataError: the share is not in (0, 1], or leaves a class without a labelled image.
    """
    if not 0.0 < share <= 1.0:
        raise DataError(f"data.labels is the share of training images with labels, in (0, 1], given {share}")
    if share == 1.0:
        return splits
    labelled = stratified(splits.train, share, seed, splits.classes)[1]
    return replace(splits, train=labelled, pool=splits.train)


def with_share(splits: Splits, share: Any, seed: int) -> Splits:
    """Splits that train on a share of the training images, every class in proportion, as if there were no others.

    Smaller shares are parts of larger ones. Images are repeated until there are as many as before, so that an epoch has
    as many steps and validations whatever the share: what differs is the data, not the length of the training.

    Args:
        splits: the data.
        share: of the training images, in (0, 1].
        seed: of the one order whose beginning is used.

    Raises:
        DataError: no such share, or one that leaves a class without an image.
    """
    if isinstance(share, bool) or not isinstance(share, int | float) or not 0 < share <= 1:
        raise DataError(f"data.share is a share of the training images, above 0 and at most 1, given {share!r}")
    train = splits.train
    row_M = nested(train.label_N, seed)[: max(1, round(share * len(train)))]
    absent = sorted(set(range(len(splits.classes))) - set(train.label_N[row_M].tolist()))
    if absent:
        raise DataError(
            f"data.share {share:g} of {len(train)} training images leaves none of class '{splits.classes[absent[0]]}'; "
            "make it larger"
        )
    few = train.take(np.sort(row_M))
    alone = from_parts(few, splits.validation, splits.test, splits.classes)
    repeated = few.take(np.resize(np.arange(len(few)), len(train)))
    return replace(splits, train=repeated, mean=alone.mean, std=alone.std)


def nested(label_N: NDArray[np.int64], seed: int) -> NDArray[np.int64]:
    """All rows in an order of which every beginning has each class in its proportion, as nearly as can be."""
    generator = np.random.default_rng(seed)
    place_N = np.empty(len(label_N))
    for label in np.unique(label_N):
        rows = generator.permutation(np.flatnonzero(label_N == label))
        place_N[rows] = (np.arange(len(rows)) + generator.random()) / len(rows)
    return np.argsort(place_N, kind="stable")


def stratified(images: Images, share: float, seed: int, names: Sequence[str]) -> tuple[Images, Images]:
    """Split off ``share`` of the images, with every class in both parts. Returns (rest, share).

    Raises:
        DataError: a class has too few images to stand in both parts.
    """
    # Here, because it brings pandas with it, which a worker whose source has a split of its own does not need.
    from sklearn.model_selection import train_test_split

    count_K = np.bincount(images.label_N, minlength=len(names))
    if count_K.min() < 2:
        scarce = names[int(count_K.argmin())]
        raise DataError(f"class '{scarce}' has {count_K.min()} image(s); a split needs at least two of each class")
    try:
        rest_rows, split_rows = train_test_split(
            np.arange(len(images)), test_size=share, stratify=images.label_N, random_state=seed
        )
    except ValueError as error:
        raise DataError(
            f"cannot split {len(images)} images of {len(names)} classes at {share:.0%} with every class in both parts; "
            "change the share, or add images"
        ) from error
    return images.take(np.sort(rest_rows)), images.take(np.sort(split_rows))
